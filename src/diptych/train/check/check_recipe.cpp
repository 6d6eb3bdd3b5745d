#include "diptych/train/check/check_recipe.h"

#include <algorithm>

#include "diptych/base/config/require.h"
#include "diptych/base/text_format.h"
#include "diptych/eval/benchmarks/benchmarks.h"
#include "diptych/flow/sde_step.h"
#include "diptych/train/prompts/prompt_sources.h"
#include "diptych/train/rollout/step_kinds.h"

namespace diptych {

namespace {

// The noise of a step is found again as a difference of latents of about 1, which float32 rounds at 1e-7.
constexpr double kLeastNoise = 1e-3;

std::string quoted(const std::string& text) {
  return '"' + text + '"';
}

/** Episodes that edit need prompts with pictures to edit, and no others do. */
void check_source(const RlRecipe& recipe, const EpisodeProgram& program) {
  std::vector<std::string> of_edits;
  for (const PromptSource& source : prompt_sources())
    if (source.edits) of_edits.push_back(quoted(source.name));
  require(program.edits == prompt_source(recipe.prompts.source).edits, "prompts.source",
          program.edits ? join(of_edits, " or ") + ", whose prompts come with an image to edit"
                        : "prompts for episode " + program.name,
          quoted(recipe.prompts.source), "");
}

void check_rewards(const RlRecipe& recipe, bool edits) {
  check_rewarded_run(recipe.reward, {.episode = recipe.rollout.episode,
                                     .edits = edits,
                                     .foreign_prompts = prompt_source(recipe.prompts.source).foreign,
                                     .image_size = recipe.rollout.image_size});
}

/** Texts without chance are all alike, so that no advantage tells one from another. */
void check_chance_of_texts(const RolloutConfig& rollout) {
  const std::string hint = "or train.text_weight = 0";
  require(rollout.temperature > 0, "rollout.temperature", "above 0: the most probable text has no policy gradient", "0",
          hint);
  require(rollout.top_p > 0, "rollout.top_p", "above 0: the most probable text has no policy gradient", "0", hint);
  require(rollout.top_k != 1, "rollout.top_k", "0 or above 1: the most probable text has no policy gradient", "1",
          hint);
}

/** What it costs to evaluate own prompts on the shapes world. */
std::string evaluation_on_shapes(const RlRecipe& recipe) {
  const EvaluationConfig& eval = recipe.eval;
  const int64_t between = eval.every > 0 ? (recipe.train.steps - 1) / eval.every : 0;
  const EvaluationCost cost = evaluation_on_shapes_cost(eval, recipe.rollout, recipe.reward);
  std::vector<std::string> sent, switches;
  if (cost.judge_requests > 0) sent.push_back(cat(cost.judge_requests, " requests to the judge"));
  if (cost.program_requests > 0) sent.push_back(cat(cost.program_requests, " requests to reward.command.program"));
  for (const Benchmark& benchmark : benchmarks())
    if (benchmark.of_shapes_world) switches.push_back(benchmark.key + "=0");
  return cat("the evaluations are on pictures of the shapes world, not on your prompts: ", between + 2,
             " times (before, after, and every eval.every steps) ", cost.pictures, " pictures",
             sent.empty() ? "" : cat(" and ", join(sent, " and ")), "; ", join(switches, " "), " turns them off");
}

void check_noise(const RlRecipe& recipe) {
  const RlTrainConfig& train = recipe.train;
  const double noise = recipe.rollout.noise_level;
  require(noise == 0 || noise >= kLeastNoise, "rollout.noise_level", cat("0, or at least ", kLeastNoise), cat(noise),
          "less is lost in the rounding of latents");
  require(noise > 0 || train.image_weight == 0, "rollout.noise_level",
          "above 0: a deterministic step has no policy gradient", "0", "or train.image_weight = 0");
  require(noise > 0 || train.latent_kl_weight == 0, "rollout.noise_level", "above 0: a deterministic step has no KL",
          "0", "or train.latent_kl_weight = 0; train.velocity_mse_weight needs no noise");
}

/** The first step of the window's range that turns the latent around: the factor 1 + sigma^2 dt / (2t) is negative. */
std::optional<int64_t> overturned_step(const RolloutConfig& rollout) {
  const std::vector<double> grid = episode_options(rollout, 0).schedule.grid;
  for (int64_t step = rollout.window_range[0]; step < rollout.window_range[1]; ++step)
    if (sde_coefficients(grid, step, rollout.noise_level).x < 0) return step;
  return std::nullopt;
}

}  // namespace

void check_evaluation(const EvaluationConfig& eval, const RolloutConfig& rollout, const RewardConfig& reward) {
  for (const Benchmark& benchmark : asked_benchmarks(eval)) benchmark.check({eval, reward, rollout.image_size});
}

EvaluationCost evaluation_on_shapes_cost(const EvaluationConfig& eval, const RolloutConfig& rollout,
                                         const RewardConfig& reward) {
  EvaluationCost cost;
  for (const Benchmark& benchmark : asked_benchmarks(eval))
    if (benchmark.of_shapes_world) cost += benchmark.cost({eval, reward, rollout.image_size});
  return cost;
}

std::vector<std::string> recipe_warnings(const RlRecipe& recipe) {
  std::vector<std::string> warnings;
  const RewardKind* reward = find_reward_kind(recipe.reward.kind);
  if (reward != nullptr && !reward->warning.empty()) warnings.push_back(reward->warning);
  if (!prompt_source(recipe.prompts.source).foreign.empty() &&
      std::ranges::any_of(asked_benchmarks(recipe.eval), &Benchmark::of_shapes_world))
    warnings.push_back(evaluation_on_shapes(recipe));
  if (const std::optional<int64_t> step = overturned_step(recipe.rollout))
    warnings.push_back(cat("rollout.noise_level = ", recipe.rollout.noise_level, " is too much for step ", *step,
                           " of rollout.window_range: its noise and drift outweigh the latent, and little of what was "
                           "denoised is left; lower rollout.noise_level, or move the window"));
  return warnings;
}

RlRecipe checked_recipe(const RlRecipe& recipe) {
  const RlTrainConfig& train = recipe.train;
  const EpisodeProgram program = episode_program(recipe.rollout.episode);
  const bool trains_text = writes(program) && train.text_weight > 0;
  require(paints(program), "rollout.episode", "an episode that paints, since rewards look at images", program.name, "");
  check_source(recipe, program);
  check_step(recipe);
  check_rewards(recipe, program.edits);
  check_evaluation(recipe.eval, recipe.rollout, recipe.reward);
  if (trains_text) check_chance_of_texts(recipe.rollout);
  require(train.mini_batches <= recipe.prompts.per_step, "train.mini_batches",
          cat("at most prompts.per_step = ", recipe.prompts.per_step, ": a mini-batch takes whole groups"),
          cat(train.mini_batches), "train.epochs updates more often on the same prompts");
  require(trains_text || trains_steps(train), "train.text_weight and train.image_weight",
          "at least one policy loss above 0", writes(program) ? "both 0" : "no thinking and image_weight 0", "");
  check_noise(recipe);
  for_each_section(recipe, [](const char*, const auto& section) {
    if constexpr (requires { check(section); }) check(section);
  });
  require(!train.shard_weights || recipe.lora.rank == 0, "lora.rank", "0: weights with adapters are not dealt",
          cat(recipe.lora.rank), "train.shard_weights asks for it");
  episode_options(recipe.rollout, recipe.eval.updates);
  check_reward_keys(recipe.reward);
  require(recipe.run.seed != recipe.eval.seed, "eval.seed", "another number than run.seed", cat(recipe.eval.seed),
          "evaluation and training would share draws");
  return recipe;
}

}  // namespace diptych
