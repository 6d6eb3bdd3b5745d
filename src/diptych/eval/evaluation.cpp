#include "diptych/eval/evaluation.h"

#include <algorithm>

#include "diptych/base/error.h"
#include "diptych/base/text_format.h"
#include "diptych/eval/refinement.h"
#include "diptych/reward/shapes_task.h"
#include "diptych/shapes/world/caption.h"
#include "diptych/text/think.h"

namespace diptych {

namespace {

bool refined_correctly(const EvaluatedSample& sample) {
  if (sample.candidate.texts.empty()) return false;
  const std::optional<shapes::Request> written =
      shapes::parse_caption(parse_think(sample.candidate.texts.front()).answer);
  return written && shapes::canonical_text(*written) == shapes::canonical_text(*shapes_request(sample.prompt));
}

struct Rate {
  double hits = 0;
  double count = 0;
  void add(bool hit) {
    hits += hit ? 1 : 0;
    count += 1;
  }
  double value() const { return count == 0 ? 0 : hits / count; }
};

void paint_and_score(const Bagel& model, const Tokenizer& tokenizer, const EpisodeOptions& options,
                     const EvaluationConfig& config, const RewardFunction& reward,
                     std::vector<EvaluatedSample>& samples) {
  std::vector<EpisodePrompt> episodes;
  for (const EvaluatedSample& sample : samples) episodes.push_back({sample.prompt.text, sample.place});
  const Rollout rollout =
      roll_out(model, tokenizer, episodes, 1, options, static_cast<uint64_t>(config.seed), /*step=*/0);

  for (size_t i = 0; i < samples.size(); ++i) {
    samples[i].candidate = rollout.stages[i].candidate;
    if (rollout.stages[i].text) samples[i].think_tokens = static_cast<int64_t>(rollout.stages[i].text->tokens.size());
  }
  judge_pictures(samples);
  if (config.refine != "none") refine_samples(model, tokenizer, options, config, samples);

  std::vector<ScoredPair> pairs;
  for (const EvaluatedSample& sample : samples) pairs.push_back({&sample.prompt, &sample.candidate});
  const std::vector<Score> scores = reward(pairs);
  for (size_t i = 0; i < samples.size(); ++i) {
    samples[i].score = scores[i];
    samples[i].correct = samples[i].correct_rounds.back();
  }
}

}  // namespace

shapes::Split split_named(const std::string& name) {
  if (name == "train") return shapes::Split::train;
  return name == "validation" ? shapes::Split::validation : shapes::Split::test;
}

std::vector<TaskPrompt> evaluated_prompts(const EvaluationConfig& config) {
  std::vector<TaskPrompt> prompts;
  for (bool implicit : {false, true}) {
    for (const shapes::Prompt& prompt :
         shapes::evaluation_pool(split_named(config.split), implicit, static_cast<int>(config.prompts), 0))
      prompts.push_back(shapes_task(prompt));
  }
  return prompts;
}

void check_evaluated_size(int64_t pixels) {
  const int canvas = shapes::World{}.canvas;
  if (pixels == canvas) return;
  throw Error(ExitCode::config, {"rollout.image_size", cat(canvas, ", the canvas of the shapes world, to evaluate on"),
                                 cat(pixels), "or no evaluation: eval.prompts = 0 and eval.edits = 0"});
}

std::vector<EvaluatedSample> EvaluationShare::deal(const std::vector<TaskPrompt>& prompts) const {
  std::vector<EvaluatedSample> own;
  for (size_t place = rank; place < prompts.size(); place += world) {
    own.emplace_back();
    own.back().place = place;
    own.back().prompt = prompts[place];
  }
  return own;
}

std::vector<EvaluatedSample> EvaluationShare::collect(const std::vector<TaskPrompt>& prompts,
                                                      std::vector<EvaluatedSample> own) const {
  if (world == 1) return own;
  std::vector<EvaluatedSample> all = join(std::move(own));
  std::sort(all.begin(), all.end(),
            [](const EvaluatedSample& a, const EvaluatedSample& b) { return a.place < b.place; });
  TORCH_CHECK(all.size() == prompts.size(), all.size(), " samples of ", prompts.size(), " prompts were joined");
  for (size_t place = 0; place < all.size(); ++place) {
    TORCH_CHECK(all[place].place == place, "no sample of prompt ", place, " was joined");
    all[place].prompt = prompts[place];
  }
  return all;
}

EvaluationResult evaluate_shapes(const Bagel& model, const Tokenizer& tokenizer, const EpisodeOptions& options,
                                 const EvaluationConfig& config, const RewardFunction& reward,
                                 const EvaluationShare& share) {
  check_evaluated_size(options.image_height);
  const std::vector<TaskPrompt> prompts = evaluated_prompts(config);
  std::vector<EvaluatedSample> own = share.deal(prompts);
  EpisodeOptions euler = options;
  // Other episodes are measured by what they do for text-to-image: first a picture, then refinements.
  if (euler.program.name != "t2i") euler.program = episode_program("think");
  euler.schedule.window_size = 0;
  euler.guidance.text_scale = config.guidance;
  share.work([&] { paint_and_score(model, tokenizer, euler, config, reward, own); });

  EvaluationResult result;
  result.thinks = writes(euler.program);
  result.samples = share.collect(prompts, std::move(own));
  if (config.refine != "none") result.refinement = refinement_result(config, result.samples);
  Rate by_pool[2];
  Rate refined;
  std::map<std::string, Rate> families;
  double reward_sum = 0;
  double scored = 0;
  for (const EvaluatedSample& sample : result.samples) {
    result.think_length += static_cast<double>(sample.think_tokens) / static_cast<double>(prompts.size());
    by_pool[sample.prompt.implicit ? 1 : 0].add(sample.correct);
    families[sample.prompt.family].add(sample.correct);
    refined.add(refined_correctly(sample));
    if (!sample.score.value) continue;
    reward_sum += *sample.score.value;
    scored += 1;
  }
  result.correct_explicit = by_pool[0].value();
  result.correct_implicit = by_pool[1].value();
  result.refined_correct = refined.value();
  if (scored > 0) result.reward = reward_sum / scored;
  for (const auto& [family, rate] : families) result.correct_by_family[family] = rate.value();
  return result;
}

}  // namespace diptych
