#include "diptych/tensor/torch.h"

#include "diptych/bench/bench.h"

#include <gtest/gtest.h>

#include <set>

#include "diptych/bench/model_bench.h"
#include "diptych/bench/published_bench.h"
#include "support/tiny_model.h"

namespace diptych {
namespace {

constexpr double kNoPatience = -1;

/** A benchmark's rows for a tiny model, each of whose measurements is one call. */
class BenchTest : public ::testing::Test {
 protected:
  BenchInput input() {
    BenchEffort effort = quick_effort();
    effort.patience = kNoPatience;
    return {folder_, effort, [this](BenchRow row) { take(std::move(row)); }, /*gemm_flops=*/1e9, /*bandwidth=*/1e9};
  }

  void take(BenchRow row) {
    // As if the memory had been too small just before the measurement was over.
    if (row.failure.empty() && too_large_.count(row.name) > 0)
      C10_THROW_ERROR(OutOfMemoryError, "Tried to allocate 20.00 GiB.");
    rows_.push_back(std::move(row));
  }

  std::vector<std::string> names() const {
    std::vector<std::string> names;
    for (const BenchRow& row : rows_) names.push_back(row.name + (row.failure.empty() ? "" : " failed"));
    return names;
  }

  const BenchRow& row(const std::string& name) const {
    for (const BenchRow& row : rows_)
      if (row.name == name) return row;
    throw std::runtime_error("no row " + name);
  }

  ModelFolder folder_ = random_model(tiny_recipe(), at::kFloat, at::kCPU);
  std::set<std::string> too_large_;  // names of rows
  std::vector<BenchRow> rows_;
};

TEST(MedianSecondsTest, WhatTakesLongIsMeasuredOnce) {
  int calls = 0, warm_ups = 0;
  const BenchEffort hurried{.patience = kNoPatience};
  median_seconds(at::kCPU, hurried, [&] { ++calls; });
  EXPECT_EQ(calls, 1);
  median_seconds(
      at::kCPU, hurried, [&] { ++calls; }, [&] { ++warm_ups; });
  EXPECT_EQ(calls, 2);
  EXPECT_EQ(warm_ups, 1);
}

TEST(MedianSecondsTest, ElseTheFirstCallDoesNotCount) {
  int calls = 0;
  median_seconds(at::kCPU, {.repeats = 1}, [&] { ++calls; });
  EXPECT_EQ(calls, 2);
}

TEST_F(BenchTest, WhatDoesNotFitHasARowWithSizes) {
  EXPECT_TRUE(unless_out_of_memory(input(), "part", "2 chains", [] {}));
  EXPECT_TRUE(rows_.empty());
  EXPECT_FALSE(unless_out_of_memory(input(), "part", "2 chains", [] {
    C10_THROW_ERROR(OutOfMemoryError, "Tried to allocate 2.00 GiB. If reserved but unallocated memory is large ...");
  }));
  ASSERT_EQ(rows_.size(), 1U);
  EXPECT_EQ(rows_[0].work, "2 chains");
  EXPECT_EQ(rows_[0].failure, "out of memory: Tried to allocate 2.00 GiB.");
}

TEST_F(BenchTest, UpdatesThatDoNotFitRunLayersAgainAndLeaveNoTrace) {
  too_large_ = {"lora 512 px update", "gen expert 1024 px replay"};
  bench_published_update(input());
  EXPECT_EQ(names(),
            (std::vector<std::string>{"lora 512 px replay", "lora 512 px optimizer", "lora 512 px update failed",
                                      "lora 512 px update recomputed", "lora 1024 px replay", "lora 1024 px optimizer",
                                      "lora 1024 px update", "gen expert 1024 px failed"}));
  for (const ParameterSlot& slot : transformer_slots(folder_.model)) {
    EXPECT_FALSE(slot.tensor->requires_grad()) << slot.name;
    EXPECT_FALSE(slot.tensor->grad().defined()) << slot.name;
  }
}

TEST_F(BenchTest, AStepIsTheSumOfItsParts) {
  bench_published_chain(input());
  const auto seconds = [&](const std::string& part) { return row("unigrpo 1024 px " + part).seconds; };
  for (const std::string way : {"", " recomputed"}) {
    const double parts = seconds("sample") + 2 * seconds("replay") + seconds("update" + way) +
                         (seconds("exchange") + 2 * seconds("optimizer")) / 768;
    EXPECT_NEAR(seconds("step" + way) / parts, 1, 1e-9);
  }
}

TEST_F(BenchTest, RowsOfAChainSayWhatToPlan) {
  bench_published_chain(input());
  const PlannedPhases planned = row("unigrpo 1024 px update recomputed").planned.value();
  EXPECT_EQ(planned.phases, (std::vector<std::string>{"update", "optimizer"}));
  EXPECT_TRUE(planned.recipe.train.recompute_layers);
  EXPECT_EQ(planned.recipe.rollout.chains_per_pack, 12);
  EXPECT_GT(planned.recipe.lora.rank, 0);
  EXPECT_GT(planned.prompt_tokens, 0);
  EXPECT_FALSE(row("unigrpo 1024 px step").planned.value().recipe.train.recompute_layers);
}

TEST_F(BenchTest, APassFeedsATokenToEveryText) {
  // im_start, four tokens, and the im_end of a text that was cut off.
  EXPECT_EQ(measure_decoding(input(), {0, 5, 2}, 4).token_steps, 6);
}

TEST(ProfileTest, AnOperationsTimeIsWithoutThoseThatItCalls) {
  const Tensor square = at::ones({300, 300});
  const auto multiply = [&] {
    for (int i = 0; i < 3; ++i) at::matmul(square, square);
  };
  EXPECT_THROW(profile_of(at::kCPU, [] { throw std::runtime_error("broken"); }), std::runtime_error);
  const Profile profile = profile_of(at::kCPU, multiply);
  std::map<std::string, ProfileLine> lines;
  double seconds = 0;
  for (const ProfileLine& line : profile.lines) {
    lines[line.name] = line;
    seconds += line.seconds;
  }
  EXPECT_EQ(lines["aten::matmul"].calls, 3);
  EXPECT_EQ(lines["aten::mm"].calls, 3);
  EXPECT_EQ(profile.lines.front().name, "aten::mm");
  EXPECT_LT(lines["aten::matmul"].seconds, lines["aten::mm"].seconds);
  EXPECT_NEAR(seconds / profile.seconds, 1, 1e-9);
}

}  // namespace
}  // namespace diptych
