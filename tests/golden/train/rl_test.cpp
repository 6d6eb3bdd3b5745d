#include "diptych/tensor/torch.h"

#include "diptych/train/loops/rl.h"

#include <gtest/gtest.h>

#include <set>

#include "diptych/base/text_format.h"
#include "diptych/io/json_lines.h"
#include "golden/train/runs.h"
#include "support/expect_error.h"
#include "support/temporary_folder.h"
#include "support/tiny_model.h"

namespace diptych {
namespace {

class RlRunTest : public ::testing::Test {
 protected:
  void SetUp() override { make_tiny_model(model_); }
  RlRecipe recipe(const std::string& run) const { return rl_recipe(model_, folder_.path() / run); }

  TemporaryFolder folder_;
  const std::filesystem::path model_ = folder_.path() / "model";
};

TEST_F(RlRunTest, TwoRunsAreOneAndMatchTheGoldenNumbers) {
  const RlResult result = train_rl(recipe("a"));
  EXPECT_EQ(result.reason, EndReason::finished);
  EXPECT_EQ(result.steps, 6);
  ASSERT_TRUE(result.before && result.after);
  EXPECT_NE(result.before->at("eval/reward"), result.after->at("eval/reward"));
  train_rl(recipe("b"));
  expect_same_run(folder_.path() / "b", folder_.path() / "a");
  // One byte of one pixel, which rounding may flip, is 5e-4 of the spread of these rewards.
  expect_golden(folder_.path() / "a", "rl.json", 3e-3);
}

TEST_F(RlRunTest, SixStepsAreThreeAndThree) {
  train_rl(recipe("whole"));
  RlRecipe parts = recipe("parts");
  parts.train.steps = 3;
  EXPECT_EQ(train_rl(parts).steps, 3);
  parts.train.steps = 6;
  const RlResult rest = train_rl(parts);
  EXPECT_EQ(rest.steps, 6);
  EXPECT_FALSE(rest.before);
  expect_same_run(folder_.path() / "parts", folder_.path() / "whole");
  // A run that is done stays done.
  EXPECT_EQ(train_rl(parts).steps, 6);
  expect_same_run(folder_.path() / "parts", folder_.path() / "whole");
}

TEST_F(RlRunTest, ALostCheckpointIsMadeUpFor) {
  train_rl(recipe("whole"));
  RlRecipe crashed = recipe("crashed");
  crashed.run.checkpoint_every = 2;
  train_rl(crashed);
  lose_newest_checkpoint(folder_.path() / "crashed");
  train_rl(crashed);
  expect_same_run(folder_.path() / "crashed", folder_.path() / "whole");
}

TEST_F(RlRunTest, AContinuationKeepsTheReferenceOfTheStart) {
  RlRecipe parts = recipe("parts");
  parts.train.mini_batches = 1;  // so the loss is that before the step's only update
  parts.train.steps = 3;
  train_rl(parts);
  parts.train.steps = 4;
  train_rl(parts);
  const std::vector<nlohmann::json> rows = metric_rows(folder_.path() / "parts");
  EXPECT_EQ(rows[1].at("loss/velocity_mse").get<double>(), 0);
  EXPECT_GT(rows.back().at("loss/velocity_mse").get<double>(), 0);
}

TEST_F(RlRunTest, OneExpertCanTrainAlone) {
  RlRecipe image_only = recipe("image_only");
  image_only.train.steps = 2;
  image_only.train.text_weight = 0;
  image_only.train.und_learning_rate = 0;
  image_only.rollout.episode = "t2i";
  image_only.eval.prompts = 0;
  train_rl(image_only);
  ModelFolder before = load_model_folder(model_), after = load_model_folder(folder_.path() / "image_only" / "model");
  const std::vector<ParameterSlot> slots = transformer_slots(after.model), old = transformer_slots(before.model);
  int64_t moved = 0;
  for (size_t i = 0; i < slots.size(); ++i) {
    const bool same = bool(same_bits(*slots[i].tensor, *old[i].tensor));
    if (slots[i].name.find("moe_gen") == std::string::npos) {
      EXPECT_TRUE(same) << slots[i].name;
    }
    moved += same ? 0 : 1;
  }
  EXPECT_GT(moved, 20);
}

TEST_F(RlRunTest, SkippedUpdatesInARowAreCountedAcrossAContinuation) {
  RlRecipe broken = recipe("run");
  broken.train.image_weight = INFINITY;
  broken.train.mini_batches = 1;
  broken.train.max_skipped = 3;
  broken.eval.prompts = 0;
  broken.train.steps = 2;
  EXPECT_EQ(train_rl(broken).steps, 2);
  broken.train.steps = 4;
  expect_error([&] { train_rl(broken); }, ExitCode::numerics, {"step 3", "3 updates in a row"});
  for (const char* step : {"1", "2", "3"}) {
    const std::string dump = read_file(std::filesystem::path(broken.run.dir) / cat("non_finite_step_", step, ".json"));
    const nlohmann::json chains = nlohmann::json::parse(dump);
    ASSERT_EQ(chains.size(), 6u);
    EXPECT_TRUE(chains[0].at("latent_finite").get<bool>() && chains[0].contains("reward") &&
                chains[0].contains("texts"));
  }
}

/** All that the program's own messages advise. */
TEST_F(RlRunTest, ARunThatStoppedCanBeMended) {
  RlRecipe stopped = recipe("run");
  stopped.train.steps = 2;
  stopped.optimizer.decay = "cosine";
  stopped.eval.prompts = 0;
  stopped.run.checkpoint_every = 1;
  stopped.train.gate_text = 0;
  expect_error([&] { train_rl(stopped); }, ExitCode::numerics, {"gate B"});
  RlRecipe mended = stopped;
  mended.train.gate_text = 0.05;
  mended.train.gen_learning_rate = 1e-3;
  mended.train.max_skipped = 5;
  mended.reward.max_missing = 0.9;
  mended.reward.keys<CommandRewardOptions>("command").batch_seconds = 900;
  mended.train.chains_per_pack = 2;
  mended.rollout.chains_per_pack = 2;
  mended.train.record_every = 1;
  mended.train.steps = 3;
  mended.model = folder_.path() / "elsewhere";
  std::filesystem::copy(model_, mended.model);
  EXPECT_EQ(train_rl(mended).steps, 3);
  std::vector<std::string> keys;
  read_json_lines(folder_.path() / "run" / "changes.jsonl", [&](int64_t, const nlohmann::json& change) {
    EXPECT_EQ(change.at("step"), 0);
    keys.push_back(change.at("key"));
  });
  EXPECT_EQ(keys, (std::vector<std::string>{"reward.max_missing", "train.steps", "train.gen_learning_rate",
                                            "train.gate_text", "train.max_skipped"}));
}

TEST_F(RlRunTest, AnEvaluationThatFailsLosesNoStep) {
  train_rl(recipe("whole"));
  const std::filesystem::path run = folder_.path() / "run", records = run / "eval";
  RlRecipe failing = recipe("run");
  failing.eval.prompts = 0;
  failing.train.steps = 1;
  train_rl(failing);
  write_file_atomic(records, "a file in the place of the folder");
  failing.eval.prompts = 2;
  failing.train.steps = 3;
  expect_error([&] { train_rl(failing); }, ExitCode::io, {"eval"});
  EXPECT_EQ(load_latest(run)->state.step, 3);
  EXPECT_EQ(metric_rows(run).size(), 2u);
  std::filesystem::remove(records);
  const RlResult result = train_rl(failing);
  EXPECT_EQ(result.steps, 3);
  EXPECT_TRUE(result.after);
  const std::vector<nlohmann::json> rows = metric_rows(run), whole = metric_rows(folder_.path() / "whole");
  ASSERT_EQ(rows.size(), 3u);
  EXPECT_EQ(rows[2], whole[3]);
}

/** A fork goes on with moments, steps and prompts of the run, and may compare with another model. */
TEST_F(RlRunTest, AForkGoesOnWhereTheRunIs) {
  RlRecipe whole = recipe("whole");
  whole.eval.prompts = 0;
  train_rl(whole);
  RlRecipe half = whole;
  half.run.dir = folder_.path() / "half";
  half.train.steps = 3;
  train_rl(half);
  RlRecipe same = whole;
  same.run.dir = folder_.path() / "same";
  same.run.from = half.run.dir;
  train_rl(same);
  const std::vector<nlohmann::json> rows = metric_rows(same.run.dir), all = metric_rows(whole.run.dir);
  EXPECT_EQ(rows, std::vector<nlohmann::json>(all.begin() + 3, all.end()));
  EXPECT_EQ(hash_file(folder_.path() / "same" / "model" / "ema.safetensors"),
            hash_file(folder_.path() / "whole" / "model" / "ema.safetensors"));

  RlRecipe fork = same;
  fork.run.dir = folder_.path() / "fork";
  fork.reference = folder_.path() / "half" / "model";
  fork.train.group_size = 4;
  fork.train.mini_batches = 1;  // so the loss is that before the step's only update
  fork.train.steps = 4;
  train_rl(fork);
  // The policy still is what it is compared with.
  EXPECT_EQ(metric_rows(fork.run.dir).front().at("loss/velocity_mse").get<double>(), 0);
  EXPECT_GT(all[3].at("loss/velocity_mse").get<double>(), 0);
  // The reference stays without being named again, and no other is taken on the way.
  fork.reference = "";
  fork.train.steps = 5;
  EXPECT_EQ(train_rl(fork).steps, 5);
  fork.reference = model_;
  expect_error([&] { train_rl(fork); }, ExitCode::model, {"reference policy"});
}

TEST_F(RlRunTest, AForkWithFewerPromptsAStepDrawsNoneAgain) {
  RlRecipe first = recipe("first");
  first.eval.prompts = 0;
  first.train.steps = 2;
  first.train.record_every = 1;
  first.prompts.source = "file";
  first.prompts.path = folder_.path() / "prompts.txt";
  write_file_atomic(first.prompts.path, "one\ntwo\nthree\nfour\nfive\nsix\n");
  train_rl(first);
  RlRecipe fork = first;
  fork.run.from = first.run.dir;
  fork.run.dir = folder_.path() / "fork";
  fork.prompts.per_step = 1;
  fork.train.mini_batches = 1;
  fork.train.steps = 4;
  train_rl(fork);
  std::set<std::string> prompts;
  for (const auto& [run, steps] : {std::pair{first.run.dir, std::pair{0, 2}}, std::pair{fork.run.dir, std::pair{2, 4}}})
    for (int step = steps.first; step < steps.second; ++step)
      read_json_lines(std::filesystem::path(run) / "rollouts" / cat("step_00000", step + 1, ".jsonl"),
                      [&](int64_t, const nlohmann::json& stage) { prompts.insert(stage.at("prompt")); });
  EXPECT_EQ(prompts.size(), 6u);
}

/** Runs of before: recipe.toml alone, with fewer keys, and a state that holds no more. */
TEST_F(RlRunTest, ARunOfAnOlderVersionContinues) {
  RlRecipe parts = recipe("parts");
  parts.train.steps = 3;
  train_rl(parts);
  const std::filesystem::path run = parts.run.dir;
  const std::filesystem::path checkpoint = list_checkpoints(run).at(3);
  nlohmann::json state = nlohmann::json::parse(read_file(checkpoint / "state.json"));
  state["extra"] = nlohmann::json::object();
  write_file_atomic(checkpoint / "state.json", state.dump());
  nlohmann::json manifest = nlohmann::json::parse(read_file(checkpoint / "manifest.json"));
  manifest["files"]["state.json"] = {{"bytes", state.dump().size()}, {"xxh3", hash_bytes(state.dump())}};
  write_file_atomic(checkpoint / "manifest.json", manifest.dump());
  std::istringstream lines(stored_recipe(run)->text);
  std::string older, line;
  while (std::getline(lines, line)) {
    const bool is_new = line.starts_with("reference") || line.starts_with("from") || line.starts_with("max_skipped");
    if (!is_new) older += line.substr(0, line.find("  #")) + "\n";
  }
  store_recipe(run, older);
  parts.train.steps = 6;
  train_rl(parts);
  train_rl(recipe("whole"));
  expect_same_run(run, folder_.path() / "whole");
}

TEST_F(RlRunTest, AnotherRecipeInTheSameFolderIsRefused) {
  RlRecipe first = recipe("run");
  first.train.steps = 1;
  first.eval.prompts = 0;
  train_rl(first);
  first.train.group_size = 4;
  expect_error([&] { train_rl(first); }, ExitCode::config, {"train.group_size: 3 -> 4"});
}

}  // namespace
}  // namespace diptych
