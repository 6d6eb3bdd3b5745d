#include "diptych/algorithm/refinement.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <nlohmann/json.hpp>

#include "diptych/algorithm/advantages.h"
#include "support/fixtures.h"

namespace diptych {
namespace {

using nlohmann::json;

/** One record of the family `fpr`. */
struct RefinementCase {
  json record;
  std::vector<double> refined = record.at("refined");
  std::vector<double> initial = record.at("initial");
  std::vector<int64_t> groups = record.at("group");

  std::string name() const { return record.at("name"); }
  std::vector<double> rectified(FprRule rule) const { return rectify(refined, initial, groups, {}, rule); }
};

std::vector<RefinementCase> cases() {
  const json file = json::parse(std::ifstream(fixture_folder() / "algorithms" / "dvreward.json"));
  std::vector<RefinementCase> result;
  for (const json& record : file.at("fpr")) result.push_back({.record = record});
  EXPECT_FALSE(result.empty());
  return result;
}

void expect_near(const std::vector<double>& actual, const json& expected, const std::string& name) {
  ASSERT_EQ(actual.size(), expected.size()) << name;
  for (size_t i = 0; i < actual.size(); ++i)
    EXPECT_NEAR(actual[i], expected[i].get<double>(), 1e-10 * std::max(1.0, std::abs(actual[i]))) << name << " " << i;
}

TEST(RefinementParity, BothRules) {
  for (const RefinementCase& test : cases()) {
    expect_near(test.rectified(FprRule::code), test.record.at("after_code_rule"), test.name());
    expect_near(test.rectified(FprRule::paper), test.record.at("after_paper_rule"), test.name());
    EXPECT_EQ(test.rectified(FprRule::off), test.refined) << test.name();
  }
}

TEST(RefinementParity, RoundsWithoutImprovementAreSkipped) {
  for (const RefinementCase& test : cases())
    EXPECT_EQ(!improves_anywhere(test.refined, test.initial, {}), test.record.at("skip_round").get<bool>())
        << test.name();
}

/** The number at the end of a key, with '_' as the decimal point: "advantage_..._eps0_0001" -> 0.0001. */
double epsilon_of(const std::string& key) {
  std::string digits = key.substr(key.find("_eps") + 4);
  std::ranges::replace(digits, '_', '.');
  return std::stod(digits);
}

TEST(RefinementParity, AdvantagesAfterTheRule) {
  const std::string prefix = "advantage_code_rule_";
  int compared = 0;
  for (const RefinementCase& test : cases()) {
    for (const auto& [key, expected] : test.record.items()) {
      if (!key.starts_with(prefix)) continue;
      const StdScope scope = key.starts_with(prefix + "global_std") ? StdScope::round : StdScope::group;
      const Advantages result = group_advantages(test.rectified(FprRule::code), test.groups, {},
                                                 {.std_scope = scope, .epsilon = epsilon_of(key)});
      expect_near(result.values, expected, test.name() + " " + key);
      ++compared;
    }
  }
  EXPECT_GT(compared, 0);
}

TEST(RefinementParity, MaskedSamplesChangeNothing) {
  for (const RefinementCase& test : cases()) {
    for (FprRule rule : {FprRule::code, FprRule::paper}) {
      RefinementCase longer = test;
      longer.refined.push_back(-1e300);
      longer.initial.push_back(-1e299);
      longer.groups.push_back(test.groups.front());
      std::vector<bool> valid(test.refined.size(), true);
      valid.push_back(false);
      std::vector<double> expected = test.rectified(rule);
      expected.push_back(-1e300);
      EXPECT_EQ(rectify(longer.refined, longer.initial, longer.groups, valid, rule), expected) << test.name();
      longer.refined.back() = 1e300;
      EXPECT_EQ(improves_anywhere(longer.refined, longer.initial, valid),
                improves_anywhere(test.refined, test.initial, {}));
    }
  }
}

}  // namespace
}  // namespace diptych
