#include "diptych/algorithm/advantages.h"

#include <gtest/gtest.h>

#include <cmath>
#include <fstream>
#include <nlohmann/json.hpp>

#include "support/fixtures.h"

namespace diptych {
namespace {

using nlohmann::json;

const json& fixture() {
  static const json file = json::parse(std::ifstream(fixture_folder() / "algorithms" / "advantages.json"));
  return file;
}

::testing::AssertionResult all_near(const std::vector<double>& actual, const std::vector<double>& expected) {
  if (actual.size() != expected.size())
    return ::testing::AssertionFailure() << actual.size() << " values, expected " << expected.size();
  for (size_t i = 0; i < actual.size(); ++i) {
    if (!(std::abs(actual[i] - expected[i]) <= 1e-10 * std::max(1.0, std::abs(expected[i]))))
      return ::testing::AssertionFailure() << "[" << i << "] " << actual[i] << ", expected " << expected[i];
  }
  return ::testing::AssertionSuccess();
}

std::vector<bool> validity(const json& record) {
  return record.contains("valid") ? record["valid"].get<std::vector<bool>>() : std::vector<bool>();
}

/** "global_std_pop_eps0.0001_clamp5" -> the options of that name. */
AdvantageOptions parse_options(const std::string& name) {
  AdvantageOptions options;
  if (name == "mean_only") {
    options.mean_only = true;
    return options;
  }
  EXPECT_TRUE(name.starts_with("group_std_pop_eps") || name.starts_with("global_std_pop_eps")) << name;
  options.std_scope = name.starts_with("global") ? StdScope::round : StdScope::group;
  options.epsilon = std::stod(name.substr(name.find("eps") + 3));
  const size_t clamp = name.find("_clamp");
  if (clamp != std::string::npos) options.clamp = std::stod(name.substr(clamp + 6));
  return options;
}

TEST(AdvantagesParity, EveryCaseAndOption) {
  for (const json& record : fixture().at("cases")) {
    const auto rewards = record.at("rewards").get<std::vector<double>>();
    const auto groups = record.at("group").get<std::vector<int64_t>>();
    for (const auto& [name, expected] : record.at("expected").items()) {
      const Advantages result = group_advantages(rewards, groups, validity(record), parse_options(name));
      EXPECT_TRUE(all_near(result.values, expected.get<std::vector<double>>())) << record.at("name") << " " << name;
    }
  }
}

TEST(AdvantagesParity, GroupsWithoutSignalAreFlagged) {
  for (const json& record : fixture().at("cases")) {
    const auto rewards = record.at("rewards").get<std::vector<double>>();
    const auto groups = record.at("group").get<std::vector<int64_t>>();
    const Advantages result = group_advantages(rewards, groups, validity(record), {});
    int64_t flagged = 0;
    for (const GroupStatistics& group : result.groups) {
      bool all_zero = true;
      for (size_t i = 0; i < groups.size(); ++i)
        all_zero = all_zero && (groups[i] != group.group || result.values[i] == 0);
      EXPECT_EQ(group.zero_spread, all_zero) << record.at("name") << " group " << group.group;
      flagged += group.zero_spread;
    }
    EXPECT_EQ(result.zero_spread_groups, flagged);
  }
}

TEST(AdvantagesParity, AlphaGrpoForms) {
  for (const json& record : fixture().at("alphagrpo")) {
    const auto rewards = record.at("rewards").get<std::vector<double>>();
    const auto groups = record.at("group").get<std::vector<int64_t>>();
    const AdvantageOptions options{.std_scope = StdScope::round, .epsilon = 1e-4};
    Advantages result;
    if (record.contains("baseline_per_group")) {
      std::vector<double> baselines;
      for (int64_t group : groups) baselines.push_back(record["baseline_per_group"].at(group).get<double>());
      result = baseline_advantages(rewards, baselines, groups, {}, options);
    } else {
      result = group_advantages(rewards, groups, {}, options);
    }
    EXPECT_TRUE(all_near(result.values, record.at("expected").get<std::vector<double>>())) << record.at("name");
    if (record.contains("expected_image_clamped5")) {
      EXPECT_TRUE(
          all_near(clamp_advantages(result.values, 5), record["expected_image_clamped5"].get<std::vector<double>>()))
          << record.at("name");
    }
  }
}

TEST(AdvantagesParity, GdpoNormalisesEveryRewardByItself) {
  for (const json& record : fixture().at("gdpo")) {
    std::vector<std::vector<double>> rewards;
    std::vector<std::string> names;
    for (const auto& [key, value] : record.items()) {
      if (!key.starts_with("reward_")) continue;
      names.push_back(key.substr(std::string("reward_").size()));
      rewards.push_back(value.get<std::vector<double>>());
    }
    const auto groups = record.at("group").get<std::vector<int64_t>>();
    const auto weights = record.at("weights").get<std::vector<double>>();
    const json& expected = record.at("expected");
    for (size_t k = 0; k < names.size(); ++k) {
      const auto single = expected.at("adv_" + names[k] + "_pop_eps0_0001").get<std::vector<double>>();
      EXPECT_TRUE(all_near(group_advantages(rewards[k], groups, {}, {}).values, single)) << names[k];
    }
    const Advantages result = gdpo_advantages(rewards, weights, groups, {}, {});
    EXPECT_TRUE(all_near(result.values, expected.at("weighted_sum_pop_eps0_0001").get<std::vector<double>>()));
    EXPECT_TRUE(all_near(round_zscore(result.values, {}, 1e-4),
                         expected.at("weighted_sum_then_batch_zscore_pop_eps0_0001").get<std::vector<double>>()));
  }
}

}  // namespace
}  // namespace diptych
