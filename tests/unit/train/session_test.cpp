#include "diptych/tensor/torch.h"

#include "diptych/train/session.h"

#include <ATen/Parallel.h>
#include <gtest/gtest.h>

#include <csignal>

#include "support/compare.h"
#include "support/expect_error.h"
#include "support/temporary_folder.h"

namespace diptych {
namespace {

class SessionTest : public ::testing::Test {
 protected:
  void SetUp() override {
    run_.dir = folder_.path() / "run";
    run_.threads = at::get_num_threads();
  }

  std::unique_ptr<Session> open(const std::string& base = "base", const std::string& recipe = "[train]\nsteps = 3\n") {
    return std::make_unique<Session>(run_, recipe, base, std::vector<std::string>{"run.resume"});
  }

  static std::vector<NamedTensor> weights(double value) {
    return {{"w", at::full({3}, value, at::kFloat).set_requires_grad(true)}};
  }
  static AdamW optimizer(const std::vector<NamedTensor>& weights) {
    return AdamW({{.name = "all", .parameters = weights, .learning_rate = 0.1, .max_grad_norm = 0}}, {});
  }

  TemporaryFolder folder_;
  RunConfig run_;
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
  expect_error([&] { open("base", "[train]\nsteps = 4\n"); }, ExitCode::config, {"train.steps: 3 -> 4"});
  const std::vector<NamedTensor> other = {{"v", at::zeros({3}).set_requires_grad(true)}};
  AdamW unrelated = optimizer(other);
  const auto session = open();
  expect_error([&] { session->restore(unrelated, other); }, ExitCode::model, {"weights of v", "none"});
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
