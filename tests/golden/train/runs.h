#pragma once
// Short runs of a tiny model, and what they leave behind.

#include "diptych/tensor/torch.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <nlohmann/json.hpp>
#include <sstream>

#include "diptych/io/files.h"
#include "diptych/train/loops/sft.h"
#include "diptych/train/recipe/rl_config.h"
#include "support/compare.h"

namespace diptych {

inline RolloutConfig short_rollout() {
  RolloutConfig rollout;
  rollout.max_think_tokens = 6;
  rollout.image_size = 32;
  rollout.updates = 4;
  rollout.timestep_shift = 2;
  rollout.window_range = {0, 3};
  rollout.window_size = 2;
  return rollout;
}

/** Six steps, two groups of three, two updates a step; evaluation before, in the middle and after. */
inline RlRecipe rl_recipe(const std::filesystem::path& model, const std::filesystem::path& run) {
  RlRecipe recipe;
  recipe.model = model;
  recipe.run.dir = run;
  recipe.run.seed = 3;
  recipe.run.threads = 1;
  recipe.prompts.per_step = 2;
  recipe.rollout = short_rollout();
  recipe.reward.kind = "brightness";
  recipe.train.steps = 6;
  recipe.train.group_size = 3;
  recipe.train.und_learning_rate = 1e-3;
  recipe.train.gen_learning_rate = 2e-3;
  recipe.train.velocity_mse_weight = 1e-2;
  recipe.train.image_clip_low = recipe.train.image_clip_high = 1e-3;
  recipe.optimizer.epsilon = 1e-6;
  recipe.optimizer.warmup_steps = 3;
  recipe.eval.prompts = 2;
  recipe.eval.every = 3;
  return recipe;
}

/** Six steps on the shapes world with a moving average. */
inline SftRecipe sft_recipe(const std::filesystem::path& model, const std::filesystem::path& run) {
  SftRecipe recipe;
  recipe.model = model;
  recipe.run.dir = run;
  recipe.run.seed = 3;
  recipe.run.threads = 1;
  recipe.run.checkpoint_every = 3;
  recipe.train.steps = 6;
  recipe.train.batch = 6;
  recipe.optimizer.decay = "cosine";
  recipe.train.ema_decay = 0.9;
  recipe.optimizer.epsilon = 1e-6;
  recipe.rollout = short_rollout();
  recipe.eval.prompts = 2;
  recipe.eval.every = 3;
  return recipe;
}

/** Rows of RUN/metrics.jsonl without what depends on the clock. */
inline std::vector<nlohmann::json> metric_rows(const std::filesystem::path& run) {
  std::istringstream lines(read_file(run / "metrics.jsonl"));
  std::vector<nlohmann::json> rows;
  std::string line;
  while (std::getline(lines, line)) {
    nlohmann::json row = nlohmann::json::parse(line);
    for (auto it = row.begin(); it != row.end();) it = it.key().starts_with("time/") ? row.erase(it) : std::next(it);
    rows.push_back(std::move(row));
  }
  return rows;
}

/** Bit for bit: metrics but for the clock, weights and moments of the last checkpoint, and the saved model. */
inline void expect_same_run(const std::filesystem::path& actual, const std::filesystem::path& expected) {
  const std::vector<nlohmann::json> rows = metric_rows(actual), others = metric_rows(expected);
  ASSERT_EQ(rows.size(), others.size());
  for (size_t i = 0; i < rows.size(); ++i) EXPECT_EQ(rows[i], others[i]) << "row " << i;
  const std::optional<LoadedCheckpoint> a = load_latest(actual), e = load_latest(expected);
  ASSERT_TRUE(a && e);
  EXPECT_EQ(a->state.step, e->state.step);
  EXPECT_EQ(a->state.counters, e->state.counters);
  for (const auto& [ours, theirs] : {std::pair{&a->weights, &e->weights}, std::pair{&a->optimizer, &e->optimizer}}) {
    ASSERT_EQ(ours->size(), theirs->size());
    for (const auto& [name, tensor] : *theirs) EXPECT_TRUE(same_bits(ours->at(name), tensor)) << name;
  }
  EXPECT_EQ(hash_file(actual / "model" / "ema.safetensors"), hash_file(expected / "model" / "ema.safetensors"));
}

/** Removes the newest checkpoint, as if the process had been killed before it was written. */
inline void lose_newest_checkpoint(const std::filesystem::path& run) {
  const auto checkpoints = list_checkpoints(run);
  ASSERT_GE(checkpoints.size(), 2u);
  std::filesystem::remove_all(checkpoints.rbegin()->second);
}

/** Compares the rows with tests/golden/train/NAME, within `relative` of each number or about 1e-5: other compilers and
 * versions of LibTorch round differently. With DIPTYCH_WRITE_GOLDEN set, writes that file instead. Does nothing under
 * other kernels than the golden ones (tests/golden/main.cpp). */
inline void expect_golden(const std::filesystem::path& run, const std::string& name, double relative) {
  if (std::getenv("DIPTYCH_GOLDEN_KERNELS") == nullptr) return;
  const std::filesystem::path file = std::filesystem::path(DIPTYCH_SOURCE_DIR) / "tests" / "golden" / "train" / name;
  const std::vector<nlohmann::json> rows = metric_rows(run);
  if (std::getenv("DIPTYCH_WRITE_GOLDEN") != nullptr) {
    write_file_atomic(file, nlohmann::json(rows).dump(1) + "\n");
    return;
  }
  const nlohmann::json golden = nlohmann::json::parse(read_file(file));
  ASSERT_EQ(rows.size(), golden.size());
  for (size_t i = 0; i < rows.size(); ++i) {
    for (const auto& [key, value] : golden[i].items()) {
      ASSERT_TRUE(rows[i].contains(key)) << key;
      // Rounding itself, or verdicts on pictures of an untrained model.
      if (key.starts_with("gate/") || key.starts_with("update/") || key.starts_with("eval/")) continue;
      const double expected = value.get<double>();
      // Policy losses are sums of terms of about 1e-3 that cancel.
      const double absolute = key == "loss/text" || key == "loss/image" ? 5e-5 : 1e-5;
      EXPECT_NEAR(rows[i].at(key).get<double>(), expected, relative * std::abs(expected) + absolute)
          << "row " << i << ", " << key;
    }
  }
}

}  // namespace diptych
