#include "diptych/report/health/health_texts.h"

#include <cmath>
#include <cstdlib>

#include "diptych/base/text_format.h"
#include "diptych/report/html/number_text.h"

namespace diptych {

namespace {

constexpr double kTenth = 0.1;
constexpr double kShrunk = 0.6;          // of the length at the start: ordinary lengths vary by a tenth
constexpr double kGrown = 1.5;           // times the length at the start
constexpr double kTruncated = 0.1;       // docs/metrics.md: above, the cap is too low or the model cannot stop
constexpr double kFormed = 0.9;          // docs/metrics.md: above .95 is normal
constexpr double kWorseThoughts = 0.05;  // of the evaluated thoughts
constexpr double kFewImproved = 0.2;     // docs/metrics.md: below, the model cannot refine
constexpr double kSpoilt = 0.01;         // of a score in [0, 1]
constexpr double kMostlyFalse = 0.5;     // of the stops
constexpr double kFewStops = 10;         // below, their share says nothing
constexpr double kAlmost = 0.02;         // refinements per chain

struct Texts {
  const char* key;   // of metrics
  const char* name;  // in sentences
};
constexpr Texts kTexts[] = {{"think", "thoughts"}, {"reflection", "reflections"}};

}  // namespace

Findings shorter_texts(const Curves& curves, const RecipeValues&) {
  Findings findings;
  for (const Texts& texts : kTexts) {
    const Series& length = series(curves, cat(texts.key, "/length"));
    const double before = mean(first_part(length, kTenth)), after = mean(last_part(length, kTenth));
    if (length.values.empty() || after >= kShrunk * before) continue;
    findings.push_back(
        {Severity::alarm,
         cat("The ", texts.name, " shrank from ", number_text(before), " to ", number_text(after), " tokens."),
         "The model stops thinking: the reward does not need the words, or is easier to reach without.",
         "Compare with a run without thinking (`rollout.episode=t2i`). Reward the form "
         "(`reward.format_weight`) or raise `train.text_kl_weight`."});
  }
  return findings;
}

Findings longer_texts(const Curves& curves, const RecipeValues&) {
  Findings findings;
  for (const Texts& texts : kTexts) {
    const Series& length = series(curves, cat(texts.key, "/length"));
    const double before = mean(first_part(length, kTenth)), after = mean(last_part(length, kTenth));
    const double cut = mean(last_part(series(curves, cat(texts.key, "/truncated")), kQuarter));
    if (cut > kTruncated)
      findings.push_back({Severity::alarm, cat(percent_text(cut), " of the ", texts.name, " were cut at the cap."),
                          "Cut texts have no answer, so the picture is painted from half a thought.",
                          "Raise `rollout.max_think_tokens`; if they ramble, raise `train.text_kl_weight`."});
    else if (!length.values.empty() && after > kGrown * before)
      findings.push_back(
          {Severity::watch,
           cat("The ", texts.name, " grew from ", number_text(before), " to ", number_text(after), " tokens."),
           "They may ramble, and soon meet the cap `rollout.max_think_tokens`.",
           "Read them below; raise `train.text_kl_weight` or lower `train.und_learning_rate`."});
  }
  return findings;
}

Findings lost_form(const Curves& curves, const RecipeValues&) {
  Findings findings;
  for (const Texts& texts : kTexts) {
    const Series& formed = series(curves, cat(texts.key, "/well_formed"));
    const double share = mean(last_part(formed, kTenth));
    if (formed.values.empty() || share >= kFormed) continue;
    findings.push_back(
        {Severity::alarm,
         cat("Only ", percent_text(share), " of the ", texts.name, " are written as `<think> … </think> …`."),
         "Training drifts away from the form that tells the request from the reasoning.",
         "Raise `train.text_kl_weight` or `reward.format_weight`, or lower `train.und_learning_rate`."});
  }
  return findings;
}

Findings wrong_thoughts(const Curves& curves, const RecipeValues&) {
  const Series& right = series(curves, "eval/refined_correct");
  if (right.values.size() < 2 || right.values.back() >= right.values.front() - kWorseThoughts) return {};
  return {{Severity::alarm,
           cat("Held-out thoughts ask for the right picture less often: ", number_text(right.values.front()),
               " before, ", number_text(right.values.back()), " now."),
           "Words that please the reward have replaced words that describe the picture.",
           "Read the thoughts below; raise `train.text_kl_weight` or lower `train.und_learning_rate`."}};
}

Findings spoiling_refinement(const Curves& curves, const RecipeValues&) {
  Findings findings;
  const auto check = [&](const std::string& seen) {
    findings.push_back({Severity::alarm, seen, "Refinement spoils more than it repairs.",
                        "Refine pictures that need it (`refine.selection=worst`), let the model stop "
                        "(`rollout.episode=rounds:N`), and look at the reflections below."});
  };
  const double improved = mean(last_part(series(curves, "refine/improved"), kQuarter));
  const double worsened = mean(last_part(series(curves, "refine/worsened"), kQuarter));
  if (worsened > improved)
    check(cat(percent_text(worsened), " of the refinements of the last steps made the picture worse, ",
              percent_text(improved), " better."));
  const double first = mean(last_part(series(curves, "rounds/first_score"), kQuarter));
  const double last = mean(last_part(series(curves, "rounds/last_score"), kQuarter));
  if (last < first - kSpoilt)
    check(cat("Chains begin with a score of ", number_text(first), " and end with ", number_text(last), "."));
  const Series& before = series(curves, "eval/refine/before");
  const Series& after = series(curves, "eval/refine/after");
  if (!before.values.empty() && !after.values.empty() && after.values.back() < before.values.back() - kSpoilt)
    check(cat("Held-out pictures are right in ", percent_text(before.values.back()),
              " of the cases ahead of refinement, ", percent_text(after.values.back()), " behind it."));
  return findings;
}

Findings failing_refinement(const Curves& curves, const RecipeValues&) {
  const Series& improved = series(curves, "refine/improved");
  const double share = mean(last_part(improved, kQuarter));
  if (improved.values.empty() || share >= kFewImproved) return {};
  return {{Severity::watch, cat("Only ", percent_text(share), " of the refinements improved their picture."),
           "The model cannot refine yet, so the spread inside groups is mostly noise.",
           "Train more examples of repairs by `sft` (`data.reflect_share`) before reinforcement."}};
}

Findings false_stops(const Curves& curves, const RecipeValues&) {
  const double stops = sum(last_part(series(curves, "rounds/stops"), kQuarter));
  const double wrong = sum(last_part(series(curves, "rounds/false_stops"), kQuarter));
  if (stops < kFewStops || wrong <= kMostlyFalse * stops) return {};
  return {{Severity::watch,
           cat("In the last steps ", percent_text(wrong / stops), " of the stops were at imperfect pictures."),
           "The model says that it is done without being done.", "Raise `refine.false_stop_cost`."}};
}

Findings one_sided_stops(const Curves& curves, const RecipeValues& recipe) {
  const Series& refinements = series(curves, "rounds/refinements");
  const std::string episode = recipe_text(recipe, "rollout.episode");
  if (refinements.values.empty() || !episode.starts_with("rounds:")) return {};
  const double most = std::atof(episode.c_str() + std::string("rounds:").size());
  const double usual = mean(last_part(refinements, kQuarter));
  if (usual < kAlmost)
    return {{Severity::watch, "The model stops at the first picture of every chain.",
             "Nothing is refined, so nothing is learnt about refining.",
             "Raise `refine.false_stop_cost` or lower `refine.stop_bonus`."}};
  if (usual > most - kAlmost)
    return {{Severity::watch,
             cat("The model never stops: ", number_text(usual), " refinements per chain of at most ", number_text(most),
                 "."),
             "It cannot leave a good picture alone.", "Raise `refine.stop_bonus`."}};
  return {};
}

}  // namespace diptych
