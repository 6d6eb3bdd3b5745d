#include "diptych/tensor/torch.h"

#include "diptych/train/loops/sft.h"

#include <gtest/gtest.h>

#include "golden/train/runs.h"
#include "support/temporary_folder.h"
#include "support/tiny_model.h"

namespace diptych {
namespace {

class SftRunTest : public ::testing::Test {
 protected:
  void SetUp() override { make_tiny_model(model_); }
  SftRecipe recipe(const std::string& run) const { return sft_recipe(model_, folder_.path() / run); }

  TemporaryFolder folder_;
  const std::filesystem::path model_ = folder_.path() / "model";
};

TEST_F(SftRunTest, TwoRunsAreOneAndMatchTheGoldenNumbers) {
  EXPECT_EQ(train_sft(recipe("a")), EndReason::finished);
  train_sft(recipe("b"));
  expect_same_run(folder_.path() / "b", folder_.path() / "a");
  expect_golden(folder_.path() / "a", "sft.json", 1e-3);
}

TEST_F(SftRunTest, ALostCheckpointIsMadeUpFor) {
  train_sft(recipe("whole"));
  train_sft(recipe("crashed"));
  lose_newest_checkpoint(folder_.path() / "crashed");
  std::filesystem::remove_all(folder_.path() / "crashed" / "model");
  EXPECT_EQ(train_sft(recipe("crashed")), EndReason::finished);
  expect_same_run(folder_.path() / "crashed", folder_.path() / "whole");
}

TEST_F(SftRunTest, TheSavedModelIsTheMovingAverage) {
  train_sft(recipe("run"));
  ModelFolder saved = load_model_folder(folder_.path() / "run" / "model");
  const std::optional<LoadedCheckpoint> last = load_latest(folder_.path() / "run");
  ASSERT_TRUE(last);
  int64_t averaged = 0;
  for (const ParameterSlot& slot : transformer_slots(saved.model)) {
    const auto average = last->weights.find("ema/" + slot.name);
    if (average == last->weights.end()) continue;
    ++averaged;
    EXPECT_TRUE(same_bits(slot.tensor->to(at::kBFloat16), average->second.to(at::kBFloat16))) << slot.name;
    EXPECT_FALSE(same_bits(average->second, last->weights.at(slot.name))) << slot.name;
  }
  EXPECT_GT(averaged, 40);
}

TEST_F(SftRunTest, TrainingLowersTheLosses) {
  SftRecipe longer = recipe("longer");
  longer.train.steps = 30;
  longer.optimizer.decay = "constant";
  longer.train.learning_rate = 3e-3;
  longer.eval.prompts = 0;
  train_sft(longer);
  const std::vector<nlohmann::json> rows = metric_rows(folder_.path() / "longer");
  const auto mean = [&](const char* key, size_t begin) {
    double sum = 0;
    for (size_t i = begin; i < begin + 5; ++i) sum += rows[i].at(key).get<double>() / 5;
    return sum;
  };
  EXPECT_LT(mean("loss/cross_entropy", 25), 0.9 * mean("loss/cross_entropy", 0));
  EXPECT_LT(mean("loss/flow", 25), 0.9 * mean("loss/flow", 0));
}

}  // namespace
}  // namespace diptych
