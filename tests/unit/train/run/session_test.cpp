#include "diptych/tensor/torch.h"

#include "diptych/train/run/session.h"

#include <ATen/Parallel.h>
#include <gtest/gtest.h>

#include <cmath>
#include <csignal>
#include <stdexcept>

#include "diptych/io/files.h"
#include "diptych/io/json_lines.h"
#include "support/compare.h"
#include "support/expect_error.h"
#include "support/temporary_folder.h"

namespace diptych {
namespace {

/** A key of every kind. */
struct MiniRecipe {
  std::string kind = "rl";
  int64_t steps = 3;
  int64_t group = 4;
  int64_t pack = 8;
  double learning_rate = 0.1;
  std::string path;
  std::vector<std::string> program;
  std::string decay = "constant";
};

struct MiniOptimizer {
  std::string& decay;
};
inline void visit(ConfigFields& fields, MiniOptimizer& optimizer) {
  fields("decay", optimizer.decay, "", Change::recorded);
}

inline void visit(ConfigFields& fields, MiniRecipe& recipe) {
  fields("kind", recipe.kind, "");
  fields("steps", recipe.steps, "", Change::schedule);
  fields("group", recipe.group, "");
  fields("pack", recipe.pack, "", Change::free);
  fields("learning_rate", recipe.learning_rate, "", Change::recorded);
  fields("path", recipe.path, "", Change::files);
  fields("program", recipe.program, "", Change::files);
  MiniOptimizer optimizer{recipe.decay};
  fields.section("optimizer", optimizer);
}

class SessionTest : public ::testing::Test {
 protected:
  void SetUp() override {
    run_.dir = folder_.path() / "run";
    run_.threads = at::get_num_threads();
  }

  std::unique_ptr<Session> open(const std::string& base = "base") {
    return std::make_unique<Session>(run_, run_recipe(recipe_, "rl"), ModelHashes{base, reference_});
  }
  /** Opens the run and saves it after `step` steps. */
  void save_at(int64_t step, const std::optional<MetricRow>& row = std::nullopt) {
    const std::vector<NamedTensor> live = weights(1);
    const AdamW some = optimizer(live);
    open()->save(step, some, live, {}, row);
  }
  void expect_refusal(const std::vector<std::string>& parts) {
    expect_error([&] { open(); }, ExitCode::config, parts);
  }
  /** Lines of RUN/changes.jsonl. */
  std::vector<nlohmann::json> changes() const {
    std::vector<nlohmann::json> lines;
    read_json_lines(std::filesystem::path(run_.dir) / "changes.jsonl",
                    [&](int64_t, const nlohmann::json& line) { lines.push_back(line); });
    return lines;
  }

  static std::vector<NamedTensor> weights(double value) {
    return {{"w", at::full({3}, value, at::kFloat).set_requires_grad(true)}};
  }
  static AdamW optimizer(const std::vector<NamedTensor>& weights) {
    return AdamW({{.name = "all", .parameters = weights, .learning_rate = 0.1, .max_grad_norm = 0}}, {});
  }

  TemporaryFolder folder_;
  RunConfig run_;
  MiniRecipe recipe_;
  std::string reference_ = "base";
};

TEST_F(SessionTest, ContinuesWithWeightsMomentsAndCounters) {
  const std::vector<NamedTensor> live = weights(1);
  AdamW first = optimizer(live);
  live[0].tensor.mutable_grad() = at::ones({3});
  first.step(1);
  {
    const auto session = open();
    EXPECT_EQ(session->first_step(), 0);
    EXPECT_TRUE(session->counters().empty());
    session->restore(first, live);  // nothing to restore
    session->metrics().write(1, {{"a", 1}});
    session->metrics().write(2, {{"a", 2}});
    session->save(2, first, live, {{"skipped", 5}});
    session->metrics().write(3, {{"a", 3}});  // lost with the crash
  }
  const auto session = open();
  EXPECT_EQ(session->first_step(), 2);
  EXPECT_EQ(session->counters().at("skipped"), 5);
  const std::vector<NamedTensor> fresh = weights(0);
  AdamW second = optimizer(fresh);
  session->restore(second, fresh);
  EXPECT_TRUE(same_bits(fresh[0].tensor, live[0].tensor));
  EXPECT_TRUE(fresh[0].tensor.requires_grad());
  EXPECT_EQ(second.step_count(), 1);
  const std::vector<NamedTensor> expected = first.optimizer_state(), actual = second.optimizer_state();
  for (size_t i = 0; i < expected.size(); ++i) EXPECT_TRUE(same_bits(actual[i].tensor, expected[i].tensor));
  session->metrics().write(3, {{"a", 3}});  // the row of the lost step was cut off
}

TEST_F(SessionTest, RefusesAnotherBaseAnotherRecipeAndOtherWeights) {
  const std::vector<NamedTensor> live = weights(1);
  {
    AdamW some = optimizer(live);
    open()->save(1, some, live, {});
  }
  expect_error([&] { open("another base"); }, ExitCode::model, {"base model"});
  reference_ = "another";
  expect_error([&] { open(); }, ExitCode::model, {"reference policy"});
  reference_ = "base";
  recipe_.group = 5;
  expect_refusal({"group: 4 -> 5", "run.from="});
  recipe_.group = 4;
  const std::vector<NamedTensor> other = {{"v", at::zeros({3}).set_requires_grad(true)}};
  AdamW unrelated = optimizer(other);
  const auto session = open();
  expect_error([&] { session->restore(unrelated, other); }, ExitCode::model, {"weights of v", "none"});
}

TEST_F(SessionTest, WhatChangesNoResultIsFree) {
  save_at(2);
  recipe_.pack = 1;
  recipe_.steps = 30;
  ::testing::internal::CaptureStderr();
  open();
  EXPECT_EQ(::testing::internal::GetCapturedStderr().find("warning"), std::string::npos);
  EXPECT_FALSE(std::filesystem::exists(std::filesystem::path(run_.dir) / "changes.jsonl"));
}

TEST_F(SessionTest, WhatChangesResultsIsRecordedWithItsStep) {
  save_at(2);
  recipe_.learning_rate = 0.3;
  open();  // killed before it saved: not a change of the run
  recipe_.learning_rate = 0.2;
  open();  // the same: one since step 2 still
  save_at(3);
  recipe_.learning_rate = 0.4;
  recipe_.decay = "cosine";
  recipe_.steps = 9;  // under a cosine it moves every learning rate
  ::testing::internal::CaptureStderr();
  open();
  const std::string told = ::testing::internal::GetCapturedStderr();
  EXPECT_NE(told.find("from step 3 on steps: 3 -> 9; learning_rate: 0.2 -> 0.4"), std::string::npos) << told;
  const std::vector<nlohmann::json> lines = changes();
  ASSERT_EQ(lines.size(), 4u);
  EXPECT_EQ(lines[0], (nlohmann::json{{"step", 2}, {"key", "learning_rate"}, {"before", "0.1"}, {"after", "0.2"}}));
  EXPECT_EQ(lines[1].at("key"), "steps");
  EXPECT_EQ(lines[2].at("step"), 3);
  EXPECT_EQ(lines[3].at("key"), "optimizer.decay");
  save_at(4);
  EXPECT_EQ(load_latest(run_.dir)->state.extra.at("changes"), nlohmann::json(lines));
  open();
  EXPECT_EQ(changes().size(), 4u);
}

TEST_F(SessionTest, ALearningRateOf0IsAnotherChoiceOfWeights) {
  save_at(2);
  recipe_.learning_rate = 0;
  expect_refusal({"learning_rate: 0.1 -> 0.0"});
}

TEST_F(SessionTest, FilesCountByTheirContent) {
  const std::filesystem::path first = folder_.path() / "a.txt", second = folder_.path() / "b.txt";
  write_file_atomic(first, "a red circle\n");
  write_file_atomic(second, "a red circle\n");
  recipe_.path = first;
  recipe_.program = {"python3", first, "--fast"};
  save_at(2);
  recipe_.path = second;
  recipe_.program[1] = second;
  save_at(3);  // elsewhere, but the same
  EXPECT_FALSE(std::filesystem::exists(std::filesystem::path(run_.dir) / "changes.jsonl"));
  write_file_atomic(second, "a red circle\na blue square\n");
  save_at(4);
  ASSERT_EQ(changes().size(), 2u);
  EXPECT_EQ(changes()[0].at("key"), "path");
  EXPECT_EQ(changes()[1].at("key"), "program");
  recipe_.program.back() = "--slow";
  save_at(5);
  EXPECT_EQ(changes().size(), 3u);
}

/** Older versions wrote recipe.toml alone, without the keys that have come since. */
TEST_F(SessionTest, RunsOfOlderVersionsContinue) {
  save_at(2);
  save_checkpoint(run_.dir, {.step = 2, .base_hash = "base", .reference_hash = "base"}, {}, {}, 1);
  store_recipe(run_.dir, "kind = \"rl\"\nsteps = 3\nold_key = 1\n");
  ::testing::internal::CaptureStderr();
  EXPECT_EQ(open()->first_step(), 2);
  const std::string told = ::testing::internal::GetCapturedStderr();
  EXPECT_NE(told.find("old_key"), std::string::npos) << told;
  EXPECT_EQ(told.find("group"), std::string::npos) << told;
  EXPECT_EQ(told.find("optimizer.decay"), std::string::npos) << told;
  store_recipe(run_.dir, "kind = \"rl\"\ngroup = 2\n");
  expect_refusal({"group: 2 -> 4"});
  store_recipe(run_.dir, "kind = = 1");
  expect_refusal({"recipe.toml:1", "valid TOML"});
}

TEST_F(SessionTest, AnotherKindIsSaidAndNothingElse) {
  save_at(2);
  recipe_.group = 9;
  expect_error(
      [&] {
        Session(run_, run_recipe(recipe_, "sft"), {"base", "base"});
      },
      ExitCode::config, {"a run of kind \"sft\"", "one of kind \"rl\""});
}

TEST_F(SessionTest, AFailedStartIsNotWipedByAnother) {
  open()->metrics().write(1, {{"a", 1}});
  recipe_.group = 5;
  expect_refusal({"group: 4 -> 5"});
  recipe_.group = 4;
  recipe_.learning_rate = 0.5;
  open()->metrics().write(1, {{"a", 2}});
  std::vector<std::string> before;
  for (const auto& entry : std::filesystem::directory_iterator(run_.dir))
    if (entry.path().filename().string().starts_with("before_"))
      before.push_back(read_file(entry.path() / "metrics.jsonl"));
  EXPECT_EQ(before, std::vector<std::string>{"{\"a\":1.0,\"step\":1}\n"});
  EXPECT_EQ(read_file(std::filesystem::path(run_.dir) / "metrics.jsonl"), "{\"a\":2.0,\"step\":1}\n");
}

TEST_F(SessionTest, ARowWaitsForItsEvaluationInTheCheckpoint) {
  save_at(2, MetricRow{{"a", 0.1}, {"b", std::nan("")}, {"time/step", 3}});
  {
    const auto session = open();
    ASSERT_TRUE(session->unfinished_row());
    EXPECT_EQ(session->unfinished_row()->at("a"), 0.1);
    EXPECT_TRUE(std::isnan(session->unfinished_row()->at("b")));
    EXPECT_FALSE(session->unfinished_row()->contains("time/step"));  // else equal runs had unequal checkpoints
    session->metrics().write(2, *session->unfinished_row());
  }
  EXPECT_FALSE(open()->unfinished_row());
}

TEST_F(SessionTest, AForkTakesWeightsAndStepAndRecordsAllThatDiffers) {
  const std::vector<NamedTensor> live = weights(1);
  AdamW first = optimizer(live);
  live[0].tensor.mutable_grad() = at::ones({3});
  first.step(1);
  open()->save(7, first, live, {{"skipped", 5}}, MetricRow{{"a", 1}});
  run_.from = run_.dir;
  run_.dir = folder_.path() / "fork";
  recipe_.group = 2;  // in its own folder a run takes no other
  recipe_.learning_rate = 0.3;
  reference_ = "another";
  const std::vector<NamedTensor> fresh = weights(0);
  AdamW second = optimizer(fresh);
  {
    const auto fork = open();
    EXPECT_TRUE(fork->forks());
    EXPECT_EQ(fork->first_step(), 7);
    EXPECT_EQ(fork->counters().at("skipped"), 5);
    EXPECT_FALSE(fork->unfinished_row());  // of the other run
    fork->restore(second, fresh);
    EXPECT_TRUE(same_bits(fresh[0].tensor, live[0].tensor));
    EXPECT_EQ(second.step_count(), 1);
    fork->save(7, second, fresh, {});
  }
  std::vector<std::string> keys;
  for (const nlohmann::json& change : changes()) {
    EXPECT_EQ(change.at("step"), 7);
    keys.push_back(change.at("key"));
  }
  EXPECT_EQ(keys, (std::vector<std::string>{"group", "learning_rate", "run.from", "reference"}));
  std::filesystem::remove_all(run_.from);
  EXPECT_FALSE(open()->forks());  // it has a checkpoint of its own
  EXPECT_EQ(changes().size(), 4u);
  run_.dir = folder_.path() / "other";
  expect_refusal({"the folder of a run", "no recipe.toml"});
  std::filesystem::create_directories(run_.from);
  store_recipe(run_.from, print_config(recipe_));
  expect_error([&] { open(); }, ExitCode::model, {"run.from = ", "a run folder with a checkpoint"});
}

TEST_F(SessionTest, AFailureIsSavedAfterAndNeverHidden) {
  const auto session = open();
  bool saved = false;
  session->save_after(std::out_of_range("at"), 3, [&] { saved = true; });
  EXPECT_TRUE(saved);
  ::testing::internal::CaptureStderr();
  session->save_after(std::out_of_range("at"), 3, [] { throw std::runtime_error("the disk is full"); });
  EXPECT_NE(::testing::internal::GetCapturedStderr().find("the disk is full"), std::string::npos);
}

TEST_F(SessionTest, KnowsWhenACheckpointIsDue) {
  run_.checkpoint_every = 2;
  std::vector<int64_t> due;
  {
    const auto session = open();
    for (int64_t step = 1; step <= 5; ++step)
      if (session->due(step)) due.push_back(step);
  }
  EXPECT_EQ(due, (std::vector<int64_t>{2, 4}));
  run_.checkpoint_every = 0;
  EXPECT_FALSE(open()->due(2));
}

TEST_F(SessionTest, CheckpointsThatAKillKeptFromRemovalGo) {
  run_.keep_checkpoints = 9;
  const std::vector<NamedTensor> live = weights(1);
  AdamW some = optimizer(live);
  {
    const auto session = open();
    for (int64_t step = 1; step <= 4; ++step) session->save(step, some, live, {});
  }
  run_.keep_checkpoints = 2;
  const auto session = open();
  EXPECT_EQ(session->first_step(), 4);
  EXPECT_EQ(list_checkpoints(run_.dir).size(), 2u);
}

TEST_F(SessionTest, OneProcessAtATime) {
  const auto session = open();
  expect_error([&] { open(); }, ExitCode::io, {"no other process uses"});
}

TEST_F(SessionTest, ASignalAsksForTheEnd) {
  const auto session = open();
  EXPECT_FALSE(stop_requested());
  std::raise(SIGTERM);
  EXPECT_TRUE(stop_requested());
}

}  // namespace
}  // namespace diptych
