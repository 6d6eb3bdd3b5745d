#include "diptych/report/run_data/run_facts.h"

#include <algorithm>
#include <cmath>

#include "diptych/base/text_format.h"
#include "diptych/report/html/number_text.h"

namespace diptych {

namespace {

constexpr double kClearDifference = 2;  // standard errors

std::string episode_words(const std::string& episode) {
  if (episode.starts_with("rounds:"))
    return cat("thinks, paints, and reviews its picture up to ", episode.substr(episode.find(':') + 1), " times");
  static const std::map<std::string, std::string> words = {{"t2i", "paints"},
                                                           {"think", "thinks, then paints"},
                                                           {"edit", "edits pictures"},
                                                           {"edit_think", "thinks, then edits pictures"},
                                                           {"reflect", "repairs pictures that it is told are wrong"},
                                                           {"review", "reviews pictures, and repairs them or stops"}};
  const auto found = words.find(episode);
  return found == words.end() ? cat("episode ", episode) : found->second;
}

std::string trained_words(const RunData& run) {
  const auto positive = [&](const char* key) { return recipe_number(run.recipe, key, 1) > 0; };
  const bool text = positive("train.text_weight"), image = positive("train.image_weight");
  if (text && image) return "texts and pictures are trained together";
  return image ? "only the pictures are trained (FlowGRPO)" : "only the texts are trained (TextGRPO)";
}

/** What a training metric did, as a sentence. */
std::string course(const std::string& name, const Series& values) {
  const std::string average = number_text(mean(values.values));
  const auto steps = static_cast<int64_t>(values.values.size());
  if (values.values.size() < kFewestStepsOfACourse)
    return cat(name, ", mean of ", count_text(steps, "step"), ": ", average, ". So few tell no change.");
  const auto first = first_part(values, 0.25), last = last_part(values, 0.25);
  if (std::abs(separation(first, last)) < kClearDifference)
    return cat(name, ", mean of ", count_text(steps, "step"), ": ", average, ", without a change beyond the noise.");
  return cat(name, ", first → last tenth of the steps: ", number_text(mean(first_part(values, 0.1))), " → ",
             number_text(mean(last_part(values, 0.1))), ".");
}

/** "explicit prompts 46.1 % → 55.5 %" of all that was evaluated; nothing without evaluations. */
std::vector<std::string> evaluation_words(const RunData& run) {
  std::vector<std::string> words;
  for (const auto& [metric, name] :
       {std::pair{"eval/correct_explicit", "explicit prompts"}, std::pair{"eval/correct_implicit", "implicit prompts"},
        std::pair{"eval/edits/correct", "edits"}}) {
    const Series& rate = series(run.curves, metric);
    if (rate.values.size() == 1) words.push_back(cat(name, " ", percent_text(rate.values.front())));
    if (rate.values.size() > 1)
      words.push_back(cat(name, " ", percent_text(rate.values.front()), " → ", percent_text(rate.values.back())));
  }
  return words;
}

/** "from step 400 train.gen_learning_rate 3e-05 → 5e-05; …". */
std::string change_words(const RunData& run) {
  std::vector<std::string> words;
  for (const RecipeChangeData& change : run.changes) {
    const std::string before = change.before.empty() ? "" : cat(change.before, " → ");
    words.push_back(cat("from step ", change.step, " ", change.key, " ", before, change.after));
  }
  return join(words, "; ");
}

using Facts = std::vector<std::pair<std::string, std::string>>;

void add_recipe_facts(const RunData& run, Facts& facts) {
  const auto add = [&](const char* name, const char* key) {
    const std::string value = recipe_text(run.recipe, key);
    if (!value.empty()) facts.emplace_back(name, value);
  };
  add("Model", "model");
  if (run_kind(run) == "rl") {
    add("Episode", "rollout.episode");
    add("Reward", "reward.kind");
    facts.emplace_back("Rollout step", cat(recipe_text(run.recipe, "prompts.per_step"), " prompts × ",
                                           recipe_text(run.recipe, "train.group_size"), " chains"));
    facts.emplace_back("Learning rates", cat("und ", recipe_text(run.recipe, "train.und_learning_rate"), ", gen ",
                                             recipe_text(run.recipe, "train.gen_learning_rate")));
  } else {
    add("Data", "data.source");
    add("Batch", "train.batch");
    add("Learning rate", "train.learning_rate");
  }
  add("Seed", "run.seed");
}

void add_cost_facts(const RunData& run, Facts& facts) {
  const Series& step = series(run.curves, "time/step");
  if (!step.values.empty())
    facts.emplace_back(
        "Time", cat(duration_text(sum(step.values)), " of training, ", number_text(median(step.values)), " s a step"));
  const double evaluation = sum(series(run.curves, "time/evaluation").values);
  if (evaluation > 0) facts.emplace_back("Evaluations", duration_text(evaluation));
  const std::string threads = recipe_text(run.recipe, "run.threads");
  if (!threads.empty()) facts.emplace_back("Threads", threads == "0" ? "all cores that it may use" : threads);
  const double memory = largest(series(run.curves, "time/peak_memory_gb").values);
  if (memory > 0) facts.emplace_back("Memory", number_text(memory) + " GB");
}

}  // namespace

std::string steps_text(const RunData& run) {
  const std::string planned = recipe_text(run.recipe, "train.steps");
  return planned.empty() ? count_text(run.last_step, "step") : cat(run.last_step, " of ", planned, " steps");
}

bool is_rate(const std::string& metric) {
  return metric.starts_with("eval/") && metric != "eval/reward" && metric != "eval/think_length" &&
         metric != "eval/edits/semantic" && metric != "eval/edits/quality" && metric != "eval/edits/overall";
}

std::string value_text(const std::string& metric, double value) {
  return is_rate(metric) ? percent_text(value) : number_text(value);
}

std::string metric_title(const std::string& metric) {
  static const std::map<std::string, std::string> names = {{"eval/correct_explicit", "Explicit prompts"},
                                                           {"eval/correct_implicit", "Implicit prompts"},
                                                           {"eval/reward", "Reward"},
                                                           {"eval/refined_correct", "Thoughts that ask for it"},
                                                           {"eval/think_length", "Tokens of a thought"},
                                                           {"eval/refine/before", "Ahead of refinement"},
                                                           {"eval/refine/after", "Behind refinement"},
                                                           {"eval/refine/kept_right", "Right ones kept"},
                                                           {"eval/refine/repaired", "Wrong ones repaired"},
                                                           {"eval/edits/correct", "Edits"},
                                                           {"eval/refine/described", "True descriptions"},
                                                           {"eval/refine/diagnosed", "True diagnoses"},
                                                           {"eval/refine/stops", "Reviews that stopped"},
                                                           {"eval/refine/stop_precision", "Stops at right pictures"},
                                                           {"eval/refine/stop_recall", "Right ones stopped"}};
  const auto found = names.find(metric);
  if (found != names.end()) return found->second;
  return metric.substr(metric.rfind('/') + 1);
}

std::string run_sentence(const RunData& run) {
  const std::string kind = run_kind(run);
  const std::string model = recipe_text(run.recipe, "model");
  if (kind == "rl")
    return cat("Reinforcement training of ", model, ": it ", episode_words(recipe_text(run.recipe, "rollout.episode")),
               ", and ", trained_words(run), ". ", steps_text(run), ".");
  if (kind == "sft") return cat("Supervised training of ", model, ". ", steps_text(run), ".");
  if (kind == "autoencoder") return cat("Training of the autoencoder of ", model, ". ", steps_text(run), ".");
  return cat("A run of unknown kind. ", steps_text(run), ".");
}

std::vector<std::string> result_sentences(const RunData& run) {
  if (run.curves.empty()) return {"There are no metrics yet."};
  std::vector<std::string> parts;
  const std::vector<std::string> rates = evaluation_words(run);
  if (!rates.empty()) {
    const Series& rate = series(run.curves, "eval/correct_explicit");
    const std::string steps = rate.values.size() > 1 ? cat("step ", rate.steps.front(), " → step ", rate.steps.back())
                                                     : cat("step ", rate.steps.empty() ? 0 : rate.steps.front());
    parts.push_back(cat("Held-out pictures strictly correct, ", steps, ": ", join(rates, ", "), "."));
  }
  const Series& applied = series(run.curves, "update/applied");
  if (!applied.values.empty() && sum(applied.values) == 0)
    parts.push_back("No update was applied: nothing was learnt.");
  else if (run.curves.contains("reward/mean"))
    parts.push_back(course("Training reward", series(run.curves, "reward/mean")));
  for (const char* loss : {"loss/flow", "loss/cross_entropy", "loss/total"})
    if (run.curves.contains(loss)) parts.push_back(course(loss, series(run.curves, loss)));
  return parts;
}

Facts run_facts(const RunData& run) {
  Facts facts;
  add_recipe_facts(run, facts);
  if (!run.changes.empty()) facts.emplace_back("Changed on the way", change_words(run));
  add_cost_facts(run, facts);
  return facts;
}

}  // namespace diptych
