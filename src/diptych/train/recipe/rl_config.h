#pragma once
// The recipe of reinforcement training. Every choice that the UniGRPO paper leaves open is a key here (unigrpo.md 10).

#include "diptych/eval/benchmarks/evaluation_defaults.h"
#include "diptych/reward/kinds/reward_config.h"
#include "diptych/train/losses/loss_term.h"
#include "diptych/train/prompts/prompts_config.h"
#include "diptych/train/recipe/rollout_config.h"
#include "diptych/train/run/session.h"

namespace diptych {

struct RlTrainConfig {
  int64_t steps = 1000;
  int64_t group_size = 24;
  int64_t mini_batches = 2;
  int64_t epochs = 1;
  double und_learning_rate = 1e-6;
  double gen_learning_rate = 3e-5;
  double text_weight = 1;
  double image_weight = 1;
  double velocity_mse_weight = 1.5e-5;
  std::string velocity_mse_reduction = "mean";
  double latent_kl_weight = 0;
  double text_kl_weight = 0;
  double text_clip_low = 0.2;
  double text_clip_high = 0.2;
  double image_clip_low = 1e-6;
  double image_clip_high = 1e-6;
  bool scale_with_geometry = false;
  bool ratio_norm = true;
  bool inverse_dt = false;
  std::string text_ratio = "token";
  std::string text_aggregation = "sequence_mean";
  std::string advantage_std = "group";
  bool normalise_each_reward = false;
  double advantage_epsilon = 1e-4;
  double text_advantage_clamp = 5;
  double image_advantage_clamp = 5;
  std::string context_gradient = "full";
  std::string old_logprob = "replay";
  std::string window_start = "random";
  double gate_text = 0.05;
  double gate_image = 0.5;
  int64_t chains_per_pack = 32;
  bool recompute_layers = false;
  bool shard_weights = false;
  std::string gradient_dtype = "float32";
  int64_t max_skipped = 3;
  int64_t record_every = 50;
  std::vector<std::string> parameters = {"language_model.model.layers.*"};
  std::map<std::string, ConfigSection> losses = loss_sections();
};

inline void visit(ConfigFields& fields, RlTrainConfig& train) {
  fields.range("steps", train.steps, 0, INT64_MAX, "rollout steps", Change::schedule);
  fields.range("group_size", train.group_size, 2, 100000, "chains per prompt (G)");
  fields.range(
      "mini_batches", train.mini_batches, 1, 100000,
      "disjoint parts of a rollout, one update each (the paper's 'PPO epochs 2' as UniRL and verl-omni read it)",
      Change::recorded);
  fields.range("epochs", train.epochs, 1, 1000, "passes over the rollout (2 with one mini-batch: verl's reading)",
               Change::recorded);
  fields.range("und_learning_rate", train.und_learning_rate, 0, 1, "reasoning expert; 0 freezes it", Change::recorded);
  fields.range("gen_learning_rate", train.gen_learning_rate, 0, 1, "denoising expert; 0 freezes it", Change::recorded);
  fields.range("text_weight", train.text_weight, 0, 1e6, "weight of the text policy loss; 0: image-only (FlowGRPO)",
               Change::recorded);
  fields.range("image_weight", train.image_weight, 0, 1e6,
               "lambda, weight of the image policy loss; 0: text-only (TextGRPO)", Change::recorded);
  fields.range("velocity_mse_weight", train.velocity_mse_weight, 0, 1e6, "weight of the velocity MSE to the reference",
               Change::recorded);
  fields.choice("velocity_mse_reduction", train.velocity_mse_reduction, {"mean", "sum"},
                "over latent elements; the paper prints a norm, its weight implies the mean", Change::recorded);
  fields.range("latent_kl_weight", train.latent_kl_weight, 0, 1e6, "weight of the exact latent KL (Flow-GRPO)",
               Change::recorded);
  fields.range("text_kl_weight", train.text_kl_weight, 0, 1e6, "weight of the thought's k3 divergence to the reference",
               Change::recorded);
  fields.range("text_clip_low", train.text_clip_low, 0, 1, "text ratio clipped below at 1 - this", Change::recorded);
  fields.range("text_clip_high", train.text_clip_high, 0, 1e6, "and above at 1 + this", Change::recorded);
  fields.range("image_clip_low", train.image_clip_low, 0, 1, "image ratio clipped below at 1 - this", Change::recorded);
  fields.range("image_clip_high", train.image_clip_high, 0, 1e6, "and above at 1 + this", Change::recorded);
  fields("scale_with_geometry", train.scale_with_geometry,
         "multiply image clip and velocity-MSE weight by the factor that carries the paper's values to this latent and "
         "grid",
         Change::recorded);
  fields("ratio_norm", train.ratio_norm, "RatioNorm (UniGRPO Eq. 5); false: plain ratio", Change::recorded);
  fields("inverse_dt", train.inverse_dt, "weight window steps by 1/|dt|, normalised to mean 1", Change::recorded);
  fields.choice("text_ratio", train.text_ratio, {"token", "sequence"},
                "one ratio per token (GRPO), or the geometric mean of a text's ratios (GSPO)", Change::recorded);
  fields.choice("text_aggregation", train.text_aggregation, {"sequence_mean", "token_mean"},
                "mean per thought, then over thoughts (GRPO), or over all tokens (DAPO)", Change::recorded);
  fields.choice("advantage_std", train.advantage_std, {"group", "round"}, "scope of the standard deviation",
                Change::recorded);
  fields("normalise_each_reward", train.normalise_each_reward,
         "terms of a composed reward are normalised one by one, then weighted (GDPO)", Change::recorded);
  fields.range("advantage_epsilon", train.advantage_epsilon, 0, 1, "added to the standard deviation", Change::recorded);
  fields.range("text_advantage_clamp", train.text_advantage_clamp, 0, 1e6,
               "largest |advantage| of the text loss; 0: no limit", Change::recorded);
  fields.range("image_advantage_clamp", train.image_advantage_clamp, 0, 1e6,
               "largest |advantage| of the image loss; 0: no limit", Change::recorded);
  fields.choice("context_gradient", train.context_gradient, {"full", "detached"},
                "whether image losses reach the text context's keys and values", Change::recorded);
  fields.choice("old_logprob", train.old_logprob, {"replay", "rollout"},
                "old values from a replay with the update's own packing, or from the sampler", Change::recorded);
  fields.choice("window_start", train.window_start, {"random", "first"},
                "random: one start a rollout step, drawn from (seed, step) and shared by all chains", Change::recorded);
  fields.range("gate_text", train.gate_text, 0, 1e6,
               "largest allowed |log-prob| difference of sampler and replay, of one token in float32, in the mean over "
               "tokens in bfloat16",
               Change::recorded);
  fields.range("gate_image", train.gate_image, 0, 1e6,
               "largest allowed RMS(change of the mean) / sqrt(D) of sampler and replay, in units of the image clip",
               Change::recorded);
  fields.range("chains_per_pack", train.chains_per_pack, 1, 1000000,
               "chains in one forward and backward; on the CPU, packs run at the same time, one a thread",
               Change::free);
  fields("recompute_layers", train.recompute_layers,
         "keep only what goes in and out of a layer and run it again in the backward pass: less memory, a third more "
         "work, the same bits",
         Change::free);
  fields("shard_weights", train.shard_weights,
         "of several processes: each keeps a share of the decoder's weights and gradients in updates, and brings in a "
         "layer at a time (ZeRO-3); for sampling all have all of them. Needs recompute_layers and no adapters",
         Change::free);
  fields.choice(
      "gradient_dtype", train.gradient_dtype, {"float32", "bfloat16"},
      "of the sums of gradients of bfloat16 weights; bfloat16 takes half the memory and rounds after every pack and "
      "rank. Dealt gradients are float32",
      Change::recorded);
  fields.range("max_skipped", train.max_skipped, 1, 1000000,
               "the run stops after this many non-finite updates in a row", Change::recorded);
  fields.range("record_every", train.record_every, 0, INT64_MAX,
               "steps between records of chains in RUN/rollouts, the first step's beside them; 0: none", Change::free);
  fields("parameters", train.parameters, "name patterns of the weights that train; ! excludes");
  for (auto& [name, keys] : train.losses) fields.section(name, keys);
}

/** What the recipe says about the losses, but for `scale_with_geometry` and `velocity_mse_reduction`, which depend on
 * the size of a picture (train/update/update_options.h). */
LossOptions loss_options(const RlTrainConfig& train);

/** Whether some penalty compares the policy with the weights it started from. */
bool needs_reference(const RlTrainConfig& train);

/** Whether some loss looks at the denoising steps of the window. */
bool needs_velocities(const RlTrainConfig& train);

/** Whether some policy loss does, not penalties alone. */
bool trains_steps(const RlTrainConfig& train);

/** Throws Error(config) for keys that rule each other out. */
void check(const RlTrainConfig& train);

/** Low-rank adapters; with them nothing else trains. */
struct LoraConfig {
  int64_t rank = 0;
  double alpha = 64;
  std::vector<std::string> targets = {"*_proj*"};
};

inline void visit(ConfigFields& fields, LoraConfig& lora) {
  fields.range("rank", lora.rank, 0, 1 << 20, "0: none, train.parameters train in full; else adapters train instead");
  fields.range("alpha", lora.alpha, 0, 1e6, "the adapters' product is scaled by alpha / rank");
  fields("targets", lora.targets,
         "name patterns of the decoder's linears, as *q_proj* or *_moe_gen*, that get one; ! excludes");
}

/** Throws Error(config) for adapters that could not learn. */
void check(const LoraConfig& lora);

/** Self-reflective refinement and refinement rounds. */
struct RefineConfig {
  int64_t initial_images = 7;
  std::string initial_episode = "t2i";
  std::string selection = "worst";
  std::string rectification = "code";
  int64_t draws = 4;
  bool mix_t2i = false;
  std::string credit = "improvement";
  double stop_bonus = 0.5;
  double false_stop_cost = 0.5;
  double perfect = 0.999;
};

inline void visit(ConfigFields& fields, RefineConfig& refine) {
  fields.range("initial_images", refine.initial_images, 1, 100000,
               "reflect: pictures per prompt from the current policy, one of which is refined (K)");
  fields.choice("initial_episode", refine.initial_episode, {"t2i", "think"}, "reflect: how they are made",
                Change::recorded);
  fields.choice("selection", refine.selection, {"worst", "first"},
                "reflect: which is refined, the one with the lowest score or the first", Change::recorded);
  fields.choice(
      "rectification", refine.rectification, {"off", "code", "paper"},
      "reflect: refinements that do not improve get the initial score (code), the group's minimum (paper), or "
      "keep their own (off)",
      Change::recorded);
  fields.range("draws", refine.draws, 1, 1000,
               "reflect: draws of prompts until some refinement improves; then the step learns nothing",
               Change::recorded);
  fields("mix_t2i", refine.mix_t2i, "reflect: train on the initial pictures too", Change::recorded);
  fields.choice("credit", refine.credit, {"improvement", "final"},
                "rounds:N: the first stage earns its own score and rounds what they change, or the first stage earns "
                "the last score",
                Change::recorded);
  fields.range("stop_bonus", refine.stop_bonus, 0, 1e6, "rounds:N: for stopping at a perfect picture",
               Change::recorded);
  fields.range("false_stop_cost", refine.false_stop_cost, 0, 1e6,
               "rounds:N: times what the picture lacks, for stopping at an imperfect one", Change::recorded);
  fields.range("perfect", refine.perfect, 0, 1, "rounds:N: score from which a picture is perfect", Change::recorded);
}

struct RlRecipe {
  std::string kind = "rl";
  std::string model;
  std::string reference;
  RunConfig run;
  PromptsConfig prompts;
  RolloutConfig rollout;
  RewardConfig reward;
  RefineConfig refine;
  RlTrainConfig train;
  LoraConfig lora;
  OptimizerConfig optimizer;
  EvaluationConfig eval = evaluation_defaults();
};

/** Calls use(name, section) for every section of the recipe. A section is read and printed by its `visit`, and its
 *  `check`, if it has one, is called by checked_recipe (train/check/check_recipe.h). */
template <class Recipe, class Use>
void for_each_section(Recipe& recipe, const Use& use) {
  use("run", recipe.run);
  use("prompts", recipe.prompts);
  use("rollout", recipe.rollout);
  use("reward", recipe.reward);
  use("refine", recipe.refine);
  use("train", recipe.train);
  use("lora", recipe.lora);
  use("optimizer", recipe.optimizer);
  use("eval", recipe.eval);
}

inline void visit(ConfigFields& fields, RlRecipe& recipe) {
  fields.choice("kind", recipe.kind, {"rl"}, "what this recipe trains");
  fields("model", recipe.model, "model folder to start from; a run that continues knows it by its content",
         Change::free);
  fields("reference", recipe.reference,
         "model folder that the penalties compare with; empty: what the run had, of a new run `model`", Change::free);
  for_each_section(recipe, [&](const char* name, auto& section) { fields.section(name, section); });
}

}  // namespace diptych
