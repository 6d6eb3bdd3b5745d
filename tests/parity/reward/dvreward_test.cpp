#include "diptych/reward/protocols/dvreward.h"

#include <gtest/gtest.h>

#include <cmath>
#include <fstream>
#include <limits>
#include <nlohmann/json.hpp>

#include "support/expect_error.h"
#include "support/fixtures.h"

namespace diptych {
namespace {

using nlohmann::json;

constexpr double kTolerance = 1e-12;

const json& fixture() {
  static const json file = json::parse(std::ifstream(fixture_folder() / "algorithms" / "dvreward.json"));
  return file;
}

double log_probability(const json& value) {
  if (value.is_number()) return value;
  EXPECT_EQ(value, "-inf");
  return -std::numeric_limits<double>::infinity();
}

TEST(DvRewardParity, EveryQuestionScore) {
  ASSERT_FALSE(fixture().at("v_q").empty());
  for (const json& record : fixture().at("v_q")) {
    std::vector<std::pair<std::string, double>> top;
    for (const json& entry : record.at("top_logprobs")) top.emplace_back(entry.at(0), log_probability(entry.at(1)));
    const std::optional<double> yes = yes_probability(top, record.at("text").get<std::string>());
    if (yes) {
      EXPECT_NEAR(*yes, record.at("v_q").get<double>(), kTolerance) << record.at("name");
      continue;
    }
    // No judgement: the released code says 0, verl-omni refuses it too.
    EXPECT_EQ(record.at("v_q"), 0) << record.at("name");
    EXPECT_EQ(record.at("verl_omni"), "error: DVReward judge must answer yes or no") << record.at("name");
  }
}

TEST(DvRewardParity, EveryAggregate) {
  const std::vector<std::pair<std::string, DvRewardAggregate>> variants = {
      {"geometric", DvRewardAggregate::geometric},
      {"mean", DvRewardAggregate::arithmetic},
      {"pooled", DvRewardAggregate::pooled},
      {"binary_geometric", DvRewardAggregate::binary}};
  size_t compared = 0;
  for (const json& record : fixture().at("aggregate")) {
    const auto semantic = record.at("semantic_v").get<std::vector<double>>();
    const auto quality = record.at("quality_v").get<std::vector<double>>();
    const json& expected = record.at("expected");
    for (const auto& [name, aggregate] : variants) {
      if (!expected.contains(name)) continue;
      const Score score = dvreward_aggregate(semantic, quality, aggregate, EmptyList::error);
      EXPECT_NEAR(score.value.value(), expected.at(name).get<double>(), kTolerance) << record.at("name") << " " << name;
      ++compared;
    }
    if (!expected.contains("error")) {
      const Score score = dvreward_aggregate(semantic, quality, DvRewardAggregate::geometric, EmptyList::one);
      EXPECT_NEAR(score.checks.at(0).value, expected.at("semantic").get<double>(), kTolerance) << record.at("name");
      EXPECT_NEAR(score.checks.at(1).value, expected.at("quality").get<double>(), kTolerance) << record.at("name");
    }
  }
  EXPECT_GE(compared, variants.size());
}

TEST(DvRewardParity, EmptyListsRaiseOrCountAsOne) {
  for (const json& record : fixture().at("aggregate")) {
    const json& expected = record.at("expected");
    if (!expected.contains("error")) continue;
    const auto semantic = record.at("semantic_v").get<std::vector<double>>();
    const auto quality = record.at("quality_v").get<std::vector<double>>();
    expect_error([&] { dvreward_aggregate(semantic, quality, DvRewardAggregate::geometric, EmptyList::error); },
                 ExitCode::data, {"at least one semantic and one quality question"});
    const Score score = dvreward_aggregate(semantic, quality, DvRewardAggregate::geometric, EmptyList::one);
    EXPECT_NEAR(score.value.value(), expected.at("geometric_if_empty_counts_as_1").get<double>(), kTolerance)
        << record.at("name");
  }
}

}  // namespace
}  // namespace diptych
