#include "diptych/train/check_recipe.h"

#include <algorithm>

#include "diptych/base/error.h"
#include "diptych/base/text_format.h"

namespace diptych {

namespace {

void require(bool holds, const std::string& key, const std::string& expected, const std::string& got,
             const std::string& hint) {
  if (!holds) throw Error(ExitCode::config, {key, expected, got, hint});
}

void check_sharding(const RlRecipe& recipe) {
  if (!recipe.train.shard_weights) return;
  const std::string hint = "train.shard_weights asks for it";
  require(recipe.train.recompute_layers, "train.recompute_layers", "true", "false", hint);
  require(recipe.lora.rank == 0, "lora.rank", "0: weights with adapters are not dealt", cat(recipe.lora.rank), hint);
}

}  // namespace

RlRecipe checked_recipe(const RlRecipe& recipe) {
  const RlTrainConfig& train = recipe.train;
  const bool verifies = recipe.reward.kind.starts_with("shapes_");
  const EpisodeProgram program = episode_program(recipe.rollout.episode);
  const bool trains_text = writes(program) && train.text_weight > 0;
  const bool edits = program.name == "edit" || program.name == "edit_think";
  require(paints(program), "rollout.episode", "an episode that paints, since rewards look at images", program.name, "");
  require(edits == (recipe.prompts.source == "shapes_edits"), "prompts.source",
          edits ? "\"shapes_edits\", whose prompts come with an image to edit" : "prompts for episode " + program.name,
          "\"" + recipe.prompts.source + "\"", "");
  require(!train.normalise_each_reward || (program.stages.size() == 1 && program.name != "reflect"),
          "train.normalise_each_reward", "false for " + program.name + ", whose rewards are not plain scores", "true",
          "");
  require(program.name != "review", "rollout.episode", "reflect or rounds:N", "review",
          "a review by itself is for sampling and evaluation");
  require(recipe.prompts.source != "file" || !verifies, "reward.kind", "a reward for prompts from a file",
          "\"" + recipe.reward.kind + "\"", "the exact verifier knows the shapes world's own prompts only");
  require((!verifies && recipe.eval.prompts == 0) || recipe.rollout.image_size == shapes::World{}.canvas,
          "rollout.image_size", cat(shapes::World{}.canvas, ", the canvas of the shapes world"),
          cat(recipe.rollout.image_size), "another size needs another reward, and eval.prompts = 0");
  require(trains_text || train.image_weight > 0, "train.text_weight and train.image_weight",
          "at least one policy loss above 0", writes(program) ? "both 0" : "no thinking and image_weight 0", "");
  require(train.image_weight == 0 || recipe.rollout.noise_level > 0, "rollout.noise_level",
          "above 0: a deterministic step has no policy gradient", "0", "or train.image_weight = 0");
  require(train.image_weight == 0 || std::max(train.image_clip_low, train.image_clip_high) > 0,
          "train.image_clip_low and image_clip_high", "a range above 0", "0", "");
  require(train.und_learning_rate > 0 || train.image_weight > 0, "train.und_learning_rate",
          "above 0: the text loss reaches this expert only", "0", "");
  check_sharding(recipe);
  check_judged_rewards(recipe.reward);
  require(recipe.run.seed != recipe.eval.seed, "eval.seed", "another number than run.seed", cat(recipe.eval.seed),
          "evaluation and training would share draws");
  return recipe;
}

}  // namespace diptych
