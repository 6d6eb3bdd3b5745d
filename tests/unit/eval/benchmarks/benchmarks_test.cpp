#include "diptych/tensor/torch.h"

#include "diptych/eval/benchmarks/benchmarks.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "diptych/eval/benchmarks/evaluation_defaults.h"

namespace diptych {
namespace {

TEST(BenchmarksTest, StandInTheirOrder) {
  EXPECT_TRUE(std::ranges::is_sorted(benchmarks(), {}, &Benchmark::order));
  ASSERT_GE(benchmarks().size(), 2u);
  EXPECT_EQ(benchmarks()[0].name, "pictures");
  EXPECT_EQ(benchmarks()[1].name, "edits");
}

TEST(BenchmarksTest, AreAskedForByTheirKeysAndTurnedOff) {
  EvaluationConfig config = evaluation_defaults();
  ASSERT_EQ(asked_benchmarks(config).size(), 1u);
  EXPECT_EQ(asked_benchmarks(config).front().name, "pictures");
  for (const Benchmark& benchmark : benchmarks()) benchmark.turn_off(config);
  EXPECT_TRUE(asked_benchmarks(config).empty());
  for (const Benchmark& benchmark : benchmarks()) {
    ASSERT_TRUE(benchmark.key.starts_with("eval.")) << benchmark.key;
    const EvaluationConfig asked = override_config(config, {benchmark.key.substr(5) + "=1"});
    ASSERT_EQ(asked_benchmarks(asked).size(), 1u) << benchmark.key;
    EXPECT_EQ(asked_benchmarks(asked).front().name, benchmark.name);
  }
}

TEST(BenchmarksTest, FilesOfNoTwoGetInEachOthersWay) {
  std::set<std::string> names;
  int shown = 0;
  for (const Benchmark& benchmark : benchmarks()) {
    EXPECT_TRUE(names.insert(benchmark.name).second) << benchmark.name;
    shown += benchmark.shown ? 1 : 0;
  }
  EXPECT_EQ(shown, 1);
}

struct OwnKeys {
  int64_t prompts = 7;
};

void visit(ConfigFields& fields, OwnKeys& keys) {
  fields.range("prompts", keys.prompts, 0, 9, "of them");
}

TEST(EvaluationConfigTest, ABenchmarkMayBringASection) {
  EvaluationConfig config;
  config.sections.emplace("other", ConfigSection(OwnKeys()));
  EXPECT_NE(print_config(config).find("[other]\nprompts = 7"), std::string::npos) << print_config(config);
  config = override_config(config, {"other.prompts=8", "prompts=3"});
  EXPECT_EQ(config.sections.at("other").as<OwnKeys>().prompts, 8);
  EXPECT_EQ(config.prompts, 3);
}

TEST(EvaluationConfigTest, EvaluationsAreDueBeforeAfterAndInTurn) {
  const auto due = [](int64_t every) {
    std::vector<int64_t> steps;
    for (int64_t step = 0; step <= 10; ++step)
      if (evaluation_is_due({.every = every}, step, 10)) steps.push_back(step);
    return steps;
  };
  EXPECT_EQ(due(0), (std::vector<int64_t>{0, 10}));
  EXPECT_EQ(due(4), (std::vector<int64_t>{0, 4, 8, 10}));
}

}  // namespace
}  // namespace diptych
