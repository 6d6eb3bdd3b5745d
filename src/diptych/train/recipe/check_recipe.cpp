#include "diptych/train/recipe/check_recipe.h"

#include <algorithm>

#include "diptych/base/error.h"
#include "diptych/base/text_format.h"
#include "diptych/flow/sde_step.h"
#include "diptych/reward/decompose/decompose_rules.h"

namespace diptych {

namespace {

// The noise of a step is found again as a difference of latents of about 1, which float32 rounds at 1e-7.
constexpr double kLeastNoise = 1e-3;

std::string quoted(const std::string& text) {
  return '"' + text + '"';
}

void require(bool holds, const std::string& key, const std::string& expected, const std::string& got,
             const std::string& hint) {
  if (!holds) throw Error(ExitCode::config, {key, expected, got, hint});
}

/** The kinds of all rewards that are added up. */
std::vector<std::string> added_kinds(const RewardConfig& reward) {
  std::vector<std::string> kinds = {reward.kind};
  for (const std::string& term : reward.terms) kinds.push_back(term.substr(0, term.find(':')));
  return kinds;
}

/** The first reward for edits of the shapes world, or with `of_edits` false for pictures made from its prompts. */
std::optional<std::string> exact_reward(const RewardConfig& reward, bool of_edits) {
  for (const std::string& kind : added_kinds(reward))
    if (kind.starts_with("shapes_") && kind.starts_with("shapes_edit") == of_edits) return kind;
  return std::nullopt;
}

void check_rewards(const RlRecipe& recipe, bool edits) {
  const std::optional<std::string> of_edits = exact_reward(recipe.reward, true);
  const std::optional<std::string> of_prompts = exact_reward(recipe.reward, false);
  const std::optional<std::string> exact = of_edits ? of_edits : of_prompts;
  const std::string got = exact ? quoted(*exact) : "";
  require(!exact || recipe.prompts.source != "file", "reward.kind", "a reward for prompts from a file", got,
          "the exact verifier knows the shapes world's own prompts only");
  require(!of_edits || edits, "reward.kind", "a reward for episode " + recipe.rollout.episode + ", which edits nothing",
          got, "edits need rollout.episode = \"edit\" and prompts.source = \"shapes_edits\"");
  require(!of_prompts || !edits, "reward.kind", "a reward for edits, such as \"shapes_edit\"",
          of_prompts ? quoted(*of_prompts) : "", "");
  require(!exact || recipe.rollout.image_size == shapes::World{}.canvas, "rollout.image_size",
          cat(shapes::World{}.canvas, ", the canvas of the shapes world"), cat(recipe.rollout.image_size),
          "another size needs another reward, and eval.prompts = 0");
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
  const EvaluationRequests requests = evaluation_requests(eval, recipe.reward);
  std::vector<std::string> sent;
  if (requests.judge > 0) sent.push_back(cat(requests.judge, " requests to the judge"));
  if (requests.program > 0) sent.push_back(cat(requests.program, " requests to reward.command.program"));
  return cat("the evaluations are on pictures of the shapes world, not on your prompts: ", between + 2,
             " times (before, after, and every eval.every steps) ", 2 * eval.prompts + eval.edits, " pictures",
             sent.empty() ? "" : cat(" and ", join(sent, " and ")), "; eval.prompts=0 eval.edits=0 turns them off");
}

void check_image_losses(const RlRecipe& recipe) {
  const RlTrainConfig& train = recipe.train;
  const double noise = recipe.rollout.noise_level;
  require(noise == 0 || noise >= kLeastNoise, "rollout.noise_level", cat("0, or at least ", kLeastNoise), cat(noise),
          "less is lost in the rounding of latents");
  require(noise > 0 || train.image_weight == 0, "rollout.noise_level",
          "above 0: a deterministic step has no policy gradient", "0", "or train.image_weight = 0");
  require(noise > 0 || train.latent_kl_weight == 0, "rollout.noise_level", "above 0: a deterministic step has no KL",
          "0", "or train.latent_kl_weight = 0; train.velocity_mse_weight needs no noise");
  // Also the unit in which gates measure velocities, whatever needs them.
  require(!needs_velocities(train) || std::max(train.image_clip_low, train.image_clip_high) > 0,
          "train.image_clip_low and train.image_clip_high", "a range above 0", "0", "");
}

/** The first step of the window's range that turns the latent around: the factor 1 + sigma^2 dt / (2t) is negative. */
std::optional<int64_t> overturned_step(const RolloutConfig& rollout) {
  const std::vector<double> grid = episode_options(rollout, 0).schedule.grid;
  for (int64_t step = rollout.window_range[0]; step < rollout.window_range[1]; ++step)
    if (sde_coefficients(grid, step, rollout.noise_level).x < 0) return step;
  return std::nullopt;
}

void check_sharding(const RlRecipe& recipe) {
  if (!recipe.train.shard_weights) return;
  const std::string hint = "train.shard_weights asks for it";
  require(recipe.train.recompute_layers, "train.recompute_layers", "true", "false", hint);
  require(recipe.lora.rank == 0, "lora.rank", "0: weights with adapters are not dealt", cat(recipe.lora.rank), hint);
}

}  // namespace

void check_evaluation(const EvaluationConfig& eval, const RolloutConfig& rollout, const RewardConfig& reward) {
  if (eval.prompts == 0 && eval.edits == 0) return;
  check_evaluated_size(rollout.image_size);
  const std::optional<std::string> of_edits = exact_reward(reward, true);
  require(!of_edits || eval.prompts == 0, "eval.prompts",
          "0, since " + quoted(of_edits.value_or("")) + " scores edits, and no pictures made from prompts",
          cat(eval.prompts), "eval.edits evaluates edits, whatever the reward");
}

EvaluationRequests evaluation_requests(const EvaluationConfig& eval, const RewardConfig& reward) {
  const std::vector<TaskPrompt> prompts = evaluated_prompts(eval);
  const auto pictures = static_cast<int64_t>(prompts.size());
  EvaluationRequests requests;
  for (const std::string& kind : added_kinds(reward)) {
    if (kind == "command") requests.program += pictures;
    if (kind == "judge_holistic" || kind == "scalar" || kind == "unified_reward") requests.judge += pictures;
    if (kind == "viescore") requests.judge += 2 * pictures;
    if (kind != "dvreward") continue;
    for (const TaskPrompt& prompt : prompts)
      requests.judge += static_cast<int64_t>(shapes_questions(*prompt.request).size());
  }
  return requests;
}

std::vector<std::string> recipe_warnings(const RlRecipe& recipe) {
  std::vector<std::string> warnings;
  if (recipe.reward.kind == "brightness")
    warnings.push_back(
        "reward.kind = \"brightness\" is a stand-in that wants bright pictures, whatever the prompt; "
        "set reward.kind (docs/rewards.md)");
  if (recipe.prompts.source == "file" && evaluates(recipe.eval)) warnings.push_back(evaluation_on_shapes(recipe));
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
  const bool edits = program.name == "edit" || program.name == "edit_think";
  require(paints(program), "rollout.episode", "an episode that paints, since rewards look at images", program.name, "");
  require(edits == (recipe.prompts.source == "shapes_edits"), "prompts.source",
          edits ? "\"shapes_edits\", whose prompts come with an image to edit" : "prompts for episode " + program.name,
          quoted(recipe.prompts.source), "");
  require(!train.normalise_each_reward || (program.stages.size() == 1 && program.name != "reflect"),
          "train.normalise_each_reward", "false for " + program.name + ", whose rewards are not plain scores", "true",
          "");
  require(program.name != "review", "rollout.episode", "reflect or rounds:N", "review",
          "a review by itself is for sampling and evaluation");
  check_rewards(recipe, edits);
  check_evaluation(recipe.eval, recipe.rollout, recipe.reward);
  if (trains_text) check_chance_of_texts(recipe.rollout);
  require(train.mini_batches <= recipe.prompts.per_step, "train.mini_batches",
          cat("at most prompts.per_step = ", recipe.prompts.per_step, ": a mini-batch takes whole groups"),
          cat(train.mini_batches), "train.epochs updates more often on the same prompts");
  require(trains_text || trains_steps(train), "train.text_weight and train.image_weight",
          "at least one policy loss above 0", writes(program) ? "both 0" : "no thinking and image_weight 0", "");
  check_image_losses(recipe);
  require(train.und_learning_rate > 0 || trains_steps(train), "train.und_learning_rate",
          "above 0: the text loss reaches this expert only", "0", "");
  require(recipe.lora.rank == 0 || recipe.lora.alpha > 0, "lora.alpha",
          "above 0: adapters that are scaled by 0 never learn", "0", "or lora.rank = 0 to train without adapters");
  require(recipe.lora.rank == 0 || !recipe.lora.targets.empty(), "lora.targets",
          "name patterns of the linears that get an adapter", "none", "or lora.rank = 0 to train without adapters");
  check_sharding(recipe);
  episode_options(recipe.rollout, recipe.eval.updates);
  check_judged_rewards(recipe.reward);
  require(recipe.run.seed != recipe.eval.seed, "eval.seed", "another number than run.seed", cat(recipe.eval.seed),
          "evaluation and training would share draws");
  return recipe;
}

}  // namespace diptych
