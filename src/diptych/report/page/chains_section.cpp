#include "diptych/report/page/chains_section.h"

#include <algorithm>
#include <map>

#include "diptych/base/error.h"
#include "diptych/base/text_format.h"
#include "diptych/report/html/escape.h"
#include "diptych/report/html/html_text.h"
#include "diptych/report/html/number_text.h"
#include "diptych/report/html/thumbnail.h"

namespace diptych {

namespace {

constexpr int kPictureHeight = 96, kStripHeight = 48;  // CSS pixels
constexpr size_t kLongText = 600;                      // characters; longer texts are folded
constexpr size_t kMostPictureNotes = 5;                // of a run
constexpr double kRightAnswer = 0.5;                   // from where an answer counts as yes

/** Reads pictures, and remembers which were missing. */
class Pictures {
 public:
  explicit Pictures(Notes& notes) : notes_(notes) {}
  ~Pictures() {
    if (missing_ > kMostPictureNotes)
      notes_.push_back(cat(missing_ - kMostPictureNotes, " more pictures of chains cannot be read"));
  }
  Pictures(const Pictures&) = delete;
  Pictures& operator=(const Pictures&) = delete;

  std::string html(const std::filesystem::path& file, int height, const char* alt, const char* css_class) {
    try {
      return thumbnail_html(read_image(file), height, alt, css_class);
    } catch (const Error&) {
      if (++missing_ <= kMostPictureNotes)
        notes_.push_back(cat("the picture rollouts/", file.parent_path().filename().string(), "/",
                             file.filename().string(), " is missing or damaged"));
      return "<span class=\"nothing\">no picture</span>";
    }
  }

 private:
  Notes& notes_;
  size_t missing_ = 0;
};

std::string text_html(const std::string& text) {
  const std::string html = cat("<p class=\"thought\">", sampled_html(text), "</p>");
  return text.size() <= kLongText ? html : folded_html(false, "Text", html, "quiet");
}

std::string check_html(const CheckData& check) {
  const bool yes = check.value >= kRightAnswer;
  return cat("<li class=\"", yes ? "yes" : "no", "\"><b>", fixed(check.value, 2), "</b> ",
             escape_html(check.question.empty() ? check.name : check.question), "</li>");
}

std::string checks_html(const StageData& stage) {
  if (stage.checks.empty()) return "";
  std::string html = "<ul class=\"checks\">";
  for (const CheckData& check : stage.checks) html += check_html(check);
  return html + "</ul>";
}

std::string numbers_text(const StageData& stage) {
  if (!stage.valid) return "no reward (masked)";
  std::vector<std::string> parts;
  if (stage.score_before && stage.score)
    parts.push_back(cat("score ", number_text(*stage.score_before), " → ", number_text(*stage.score)));
  else if (stage.score && stage.score != stage.reward)
    parts.push_back(cat("score ", number_text(*stage.score)));
  if (stage.reward) parts.push_back(cat("reward ", number_text(*stage.reward)));
  if (stage.advantage) parts.push_back(cat("advantage ", change_text(*stage.advantage)));
  return join(parts, ", ");
}

std::string end_words(const StageData& stage) {
  if (stage.end == "stopped") return "<p class=\"note\">It stopped: it takes its picture to be right.</p>";
  if (stage.end == "unreadable") return "<p class=\"note\">Neither a repair nor a stop: the chain ended here.</p>";
  return "";
}

/** Who wrote the reply of a record. */
std::string scorer_name(const RecipeValues& recipe) {
  const std::string kind = recipe_text(recipe, "reward.kind"), terms = recipe_text(recipe, "reward.terms");
  if (kind.empty() || kind == "brightness" || kind.starts_with("format_") ||
      terms.find_first_not_of("[ ]") != terms.npos)
    return "Rewards";  // or several of the others
  if (kind == "command") return "Program";
  return kind.starts_with("shapes_") ? "Verifier" : "Judge";
}

std::string stage_html(const StageData& stage, bool with_title, const std::string& scorer, Pictures& pictures) {
  std::string html = "<div class=\"stage\">";
  if (with_title)
    html += cat("<p class=\"stage-title\">", stage.round == 0 ? "First picture" : cat("Round ", stage.round), "</p>");
  html += "<div class=\"row\">";
  if (!stage.image.empty()) html += pictures.html(stage.image, kPictureHeight, stage.prompt.c_str(), "picture");
  html += "<div class=\"words\">";
  for (const std::string& text : stage.texts) html += text_html(text);
  html += cat("<p class=\"numbers\">", numbers_text(stage), "</p>", end_words(stage), "</div></div>");
  if (!stage.strip.empty()) html += pictures.html(stage.strip, kStripHeight, "denoising", "strip");
  html += checks_html(stage);
  if (!stage.reply.empty())
    html += folded_html(false, cat(scorer, ", raw reply"),
                        cat("<p class=\"note reply\">", escape_html(stage.reply), "</p>\n"), "quiet");
  return html + "</div>";
}

std::string chain_html(const ChainData& chain, const std::string& title, const char* css_class,
                       const std::string& scorer, Pictures& pictures) {
  std::string html = cat("<article class=\"card chain ", css_class, "\"><p class=\"chain-title\"><b>", title,
                         "</b> sample ", chain.stages.front()->sample, "</p>");
  const bool with_titles = chain.stages.size() > 1 || chain.stages.front()->round > 0;
  for (const StageData* stage : chain.stages) html += stage_html(*stage, with_titles, scorer, pictures);
  return html + "</article>\n";
}

std::string group_html(const ChainGroup& group, const std::string& scorer, Pictures& pictures) {
  const std::optional<double> best = chain_value(group.chains.front());
  size_t last = group.chains.size();  // behind the worst chain that has a value
  while (last > 0 && !chain_value(group.chains[last - 1])) --last;
  const bool has_spread = last > 1 && *best > *chain_value(group.chains[last - 1]);
  std::string html = cat("<div class=\"chain-group\"><h4>", escape_html(group.prompt), "</h4><p class=\"note\">",
                         count_text(static_cast<int64_t>(group.chains.size()), "chain"));
  if (has_spread)
    html += cat(", scores from ", number_text(*chain_value(group.chains[last - 1])), " to ", number_text(*best));
  else if (best)
    html += cat(", all scored ", number_text(*best));
  html += "</p>\n";
  const std::vector<std::filesystem::path>& sources = group.chains.front().stages.front()->sources;
  if (!sources.empty()) html += "<div class=\"row\"><span class=\"note\">It starts from</span>";
  for (const std::filesystem::path& source : sources)
    html += pictures.html(source, kPictureHeight, "picture that the chains start from", "picture");
  if (!sources.empty()) html += "</div>\n";
  html += "<div class=\"cards\">\n" +
          chain_html(group.chains.front(), has_spread ? "Best" : "Chain", has_spread ? "best" : "", scorer, pictures);
  if (has_spread) html += chain_html(group.chains[last - 1], "Worst", "worst", scorer, pictures);
  html += "</div>\n";
  std::string others;
  for (size_t i = 1; i < group.chains.size(); ++i)
    if (!has_spread || i != last - 1) others += chain_html(group.chains[i], "", "", scorer, pictures);
  if (!others.empty())
    html += folded_html(false, cat("The other ", group.chains.size() - (has_spread ? 2 : 1)),
                        cat("<div class=\"cards\">\n", others, "</div>\n"), "quiet");
  return html + "</div>\n";
}

int64_t stages_per_prompt(const RunData& run) {
  const std::string episode = recipe_text(run.recipe, "rollout.episode");
  if (!episode.starts_with("rounds:")) return 1;
  return 1 + std::max<int64_t>(0, std::atoll(episode.c_str() + std::string("rounds:").size()));
}

std::string record_html(const RunData& run, const RolloutData& record, bool open, Pictures& pictures) {
  std::string html;
  const std::string scorer = scorer_name(run.recipe);
  for (const ChainGroup& group : chain_groups(record, stages_per_prompt(run)))
    html += group_html(group, scorer, pictures);
  return html.empty() ? "" : folded_html(open, cat("Step ", record.step), html, "group");
}

}  // namespace

std::optional<double> chain_value(const ChainData& chain) {
  std::optional<double> score, reward;
  for (const StageData* stage : chain.stages) {
    if (!stage->valid) continue;
    if (stage->score) score = stage->score;
    if (stage->reward) reward = stage->reward;
  }
  return score ? score : reward;
}

std::vector<ChainGroup> chain_groups(const RolloutData& record, int64_t stages_per_prompt) {
  std::map<int64_t, std::map<int64_t, ChainData>> by_prompt;  // prompt, sample
  for (const StageData& stage : record.stages)
    by_prompt[stage.group / stages_per_prompt][stage.sample].stages.push_back(&stage);
  std::vector<ChainGroup> groups;
  for (auto& [prompt, samples] : by_prompt) {
    ChainGroup group;
    for (auto& [sample, chain] : samples) {
      std::stable_sort(chain.stages.begin(), chain.stages.end(),
                       [](const StageData* a, const StageData* b) { return a->round < b->round; });
      group.chains.push_back(std::move(chain));
    }
    group.prompt = group.chains.front().stages.front()->prompt;
    std::stable_sort(group.chains.begin(), group.chains.end(), [](const ChainData& a, const ChainData& b) {
      return chain_value(b) < chain_value(a);  // an absent value is below all others
    });
    groups.push_back(std::move(group));
  }
  return groups;
}

std::string chains_section(std::vector<RunData>& runs) {
  std::string html;
  for (size_t i = 0; i < runs.size(); ++i) {
    RunData& run = runs[i];
    Pictures pictures(run.notes);
    std::string records;
    for (const RolloutData& record : run.rollouts)
      records += record_html(run, record, runs.size() == 1 && &record == &run.rollouts.back(), pictures);
    if (records.empty()) continue;
    if (runs.size() > 1) html += cat("<h3>", colour_mark(i), escape_html(run.name), "</h3>\n");
    html += cat("<p class=\"note\">", run.rollouts.size(), " of ", run.recorded_steps.size(), " recorded steps.</p>\n",
                records);
  }
  if (!html.empty())
    html =
        "<p class=\"note\">The first prompts of a step, each with its group of chains. The advantage says how much "
        "better a chain was than its group; a strip shows the picture that the model expects at each trained "
        "denoising step, and the final one.</p>\n" +
        html;
  return section_html("chains", "Training, chain by chain", html);
}

}  // namespace diptych
