// Pictures of held-out prompts of the shapes world, in two pools: explicit prompts, which say what to paint, and
// implicit ones, which need thinking.

#include "diptych/base/error.h"
#include "diptych/base/text_format.h"
#include "diptych/eval/benchmarks/benchmarks.h"
#include "diptych/eval/benchmarks/reflection_score.h"
#include "diptych/eval/benchmarks/shapes_world.h"
#include "diptych/eval/refinement_result.h"
#include "diptych/reward/kinds/reward_config.h"
#include "diptych/reward/kinds/reward_kind.h"
#include "diptych/reward/shapes_reward.h"
#include "diptych/reward/shapes_task.h"
#include "diptych/rollout/episodes/episodes.h"
#include "diptych/shapes/world/caption.h"
#include "diptych/text/think.h"

namespace diptych {

namespace {

struct Rate {
  double hits = 0;
  double count = 0;
  void add(bool hit) {
    hits += hit ? 1 : 0;
    count += 1;
  }
  double value() const { return count == 0 ? 0 : hits / count; }
};

const shapes::Request& request_of(const TaskPrompt& prompt) {
  return *shapes_request(prompt);
}

std::vector<TaskPrompt> pool_prompts(const EvaluationConfig& config) {
  std::vector<TaskPrompt> prompts;
  for (bool implicit : {false, true}) {
    for (const shapes::Prompt& prompt :
         shapes::evaluation_pool(split_named(config.split), implicit, static_cast<int>(config.prompts), 0))
      prompts.push_back(shapes_task(prompt));
  }
  return prompts;
}

void check_reward(const EvaluationPlan& plan) {
  check_evaluated_size(plan.image_size);
  if (const RewardKind* kind = reward_of_edits(plan.reward))
    throw Error(ExitCode::config,
                {"eval.prompts", "0, since \"" + kind->name + "\" scores edits, and no pictures made from prompts",
                 cat(plan.config.prompts), "eval.edits evaluates edits, whatever the reward"});
}

EvaluationCost reward_cost(const EvaluationPlan& plan) {
  EvaluationCost cost;
  for (const TaskPrompt& prompt : pool_prompts(plan.config)) {
    const RewardRequests requests = reward_requests(plan.reward, prompt);
    cost += {.pictures = 1, .judge_requests = requests.judge, .program_requests = requests.program};
  }
  return cost;
}

EpisodeOptions painting(const EpisodeOptions& recipe, const EvaluationConfig& config) {
  check_evaluated_size(recipe.image_height);
  EpisodeOptions options = recipe;
  // Other episodes are measured by what they do for text-to-image: first a picture, then refinements.
  if (options.program.name != "t2i") options.program = episode_program("think");
  options.guidance.text_scale = config.guidance;
  return options;
}

std::vector<bool> pictures_are_right(const std::vector<EvaluatedSample>& samples) {
  std::vector<bool> right;
  for (const EvaluatedSample& sample : samples) right.push_back(picture_is_right(sample.prompt, sample.candidate));
  return right;
}

void score_pictures(const EvaluationInput& input, std::vector<EvaluatedSample>& samples) {
  std::vector<ScoredPair> pairs;
  for (const EvaluatedSample& sample : samples) pairs.push_back({&sample.prompt, &sample.candidate});
  const RewardFunction reward = input.reward ? input.reward : exact_reward(ShapesRewardKind::soft);
  const std::vector<Score> scores = reward(pairs);
  for (size_t i = 0; i < samples.size(); ++i) {
    samples[i].score = scores[i];
    samples[i].correct = samples[i].correct_rounds.back();
  }
}

bool asks_for_the_same(const EvaluatedSample& sample) {
  if (sample.candidate.texts.empty()) return false;
  const std::optional<shapes::Request> written =
      shapes::parse_caption(parse_think(sample.candidate.texts.front()).answer);
  return written && shapes::canonical_text(*written) == shapes::canonical_text(request_of(sample.prompt));
}

RefinementResult shapes_refinement(const EvaluationConfig& config, const std::vector<EvaluatedSample>& samples) {
  RefinementResult result = refinement_result(config, samples);
  Rate described, diagnosed;
  for (const EvaluatedSample& sample : samples) {
    for (const Review& review : sample.reviews) {
      const ReflectionScore score = score_reflection(
          sample.candidate.texts[review.text], sample.candidate.images[review.picture], request_of(sample.prompt));
      described.add(score.described);
      if (!review.of_right_picture) diagnosed.add(score.diagnosed());
    }
  }
  result.described = described.value();
  result.diagnosed = diagnosed.value();
  return result;
}

struct PoolNumbers {
  double correct_explicit = 0;  // strict correct-rates
  double correct_implicit = 0;
  std::optional<double> reward;  // mean over what could be scored of both pools; absent if nothing could
  double think_length = 0;       // tokens, 0 without thinking
  double refined_correct = 0;    // share of thoughts whose refined prompt asks for what the prompt asks for
  std::map<std::string, double> correct_by_family;
};

PoolNumbers pool_numbers(const std::vector<EvaluatedSample>& samples) {
  PoolNumbers numbers;
  Rate by_pool[2];
  Rate refined;
  std::map<std::string, Rate> families;
  double reward_sum = 0;
  double scored = 0;
  for (const EvaluatedSample& sample : samples) {
    numbers.think_length += static_cast<double>(sample.think_tokens) / static_cast<double>(samples.size());
    by_pool[sample.prompt.implicit ? 1 : 0].add(sample.correct);
    families[sample.prompt.family].add(sample.correct);
    refined.add(asks_for_the_same(sample));
    if (!sample.score.value) continue;
    reward_sum += *sample.score.value;
    scored += 1;
  }
  numbers.correct_explicit = by_pool[0].value();
  numbers.correct_implicit = by_pool[1].value();
  numbers.refined_correct = refined.value();
  if (scored > 0) numbers.reward = reward_sum / scored;
  for (const auto& [family, rate] : families) numbers.correct_by_family[family] = rate.value();
  return numbers;
}

std::string table_of(const PoolNumbers& numbers, const EvaluationConfig& config, bool thinks) {
  std::string table = cat("Strictly correct pictures, ", config.prompts, " prompts a pool, ", config.split,
                          " split, refinement: ", config.refine, "\n");
  table += table_row("explicit prompts", numbers.correct_explicit);
  table += table_row("implicit prompts", numbers.correct_implicit);
  table += table_row("mean of both", 0.5 * (numbers.correct_explicit + numbers.correct_implicit));
  if (numbers.reward) table += table_row("reward", *numbers.reward);
  if (thinks) table += table_row("thoughts that ask for it", numbers.refined_correct);
  for (const auto& [family, rate] : numbers.correct_by_family) table += table_row("  " + family, rate);
  return table;
}

BenchmarkResult picture_numbers(const EvaluationInput& input, std::vector<EvaluatedSample> samples) {
  const EvaluationConfig& config = input.config;
  const PoolNumbers numbers = pool_numbers(samples);
  BenchmarkResult result;
  result.metrics = {{"eval/correct_explicit", numbers.correct_explicit},
                    {"eval/correct_implicit", numbers.correct_implicit},
                    {"eval/refined_correct", numbers.refined_correct},
                    {"eval/think_length", numbers.think_length}};
  for (const auto& [family, rate] : numbers.correct_by_family) result.metrics["eval/family/" + family] = rate;
  result.summary =
      cat("correct explicit ", fixed(numbers.correct_explicit, 3), ", implicit ", fixed(numbers.correct_implicit, 3));
  if (input.reward) result.summary += ", reward " + (numbers.reward ? fixed(*numbers.reward, 3) : "of none");
  result.report = {{"split", config.split},
                   {"prompts_per_pool", config.prompts},
                   {"correct_explicit", numbers.correct_explicit},
                   {"correct_implicit", numbers.correct_implicit},
                   {"refined_correct", numbers.refined_correct},
                   {"by_family", numbers.correct_by_family}};
  if (numbers.reward) {
    result.metrics["eval/reward"] = *numbers.reward;
    result.report["reward"] = *numbers.reward;
  }
  result.table = table_of(numbers, config, writes(painting(input.painter.options, config).program));
  if (config.refine != "none") tell_refinement(shapes_refinement(config, samples), config, result);
  result.samples = std::move(samples);
  return result;
}

}  // namespace

std::vector<Benchmark> shapes_prompts_benchmark() {
  Benchmark benchmark;
  benchmark.order = 10;
  benchmark.name = "pictures";
  benchmark.key = "eval.prompts";
  benchmark.of_shapes_world = true;
  benchmark.rewarded = true;
  benchmark.shown = true;
  benchmark.is_asked = [](const EvaluationConfig& config) { return config.prompts > 0; };
  benchmark.turn_off = [](EvaluationConfig& config) { config.prompts = 0; };
  benchmark.check = check_reward;
  benchmark.cost = reward_cost;
  benchmark.prompts = pool_prompts;
  benchmark.episode = painting;
  benchmark.verdicts = pictures_are_right;
  benchmark.score = score_pictures;
  benchmark.numbers = picture_numbers;
  return {benchmark};
}

}  // namespace diptych
