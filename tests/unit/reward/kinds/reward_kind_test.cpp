#include "diptych/reward/kinds/reward_kind.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <set>

#include "diptych/io/files.h"

namespace diptych {
namespace {

/** The kinds that came with the program, in the order in which messages name them. Others may stand between them. */
const std::vector<std::string> kShipped = {
    "shapes_strict",      "shapes_soft",  "shapes_mixed",        "shapes_dvreward", "shapes_edit",
    "shapes_edit_strict", "format_think", "format_think_answer", "brightness",      "dvreward",
    "judge_holistic",     "viescore",     "unified_reward",      "scalar",          "command"};

bool is_shipped(const RewardKind& kind) {
  return std::ranges::find(kShipped, kind.name) != kShipped.end();
}

TEST(RewardKind, AllAreListedInTheirOrder) {
  std::vector<std::string> names;
  for (const RewardKind& kind : reward_kinds())
    if (is_shipped(kind)) names.push_back(kind.name);
  EXPECT_EQ(names, kShipped);
}

TEST(RewardKind, NamesAndOrdersAreUnique) {
  std::set<std::string> names, sections;
  std::set<int> orders;
  for (const RewardKind& kind : reward_kinds()) {
    EXPECT_TRUE(names.insert(kind.name).second) << kind.name;
    EXPECT_TRUE(orders.insert(kind.order).second) << kind.name;
    EXPECT_EQ(kind.name.find(':'), std::string::npos) << "ends the name in reward.terms";
    EXPECT_TRUE(kind.make) << kind.name;
    if (!kind.section.empty()) {
      EXPECT_TRUE(kind.keys) << kind.name;
      EXPECT_TRUE(sections.insert(kind.section).second) << kind.name;
    }
    EXPECT_EQ(find_reward_kind(kind.name), &kind);
  }
  EXPECT_EQ(find_reward_kind("beauty"), nullptr);
  EXPECT_EQ(find_reward_kind("shapes_"), nullptr);
}

TEST(RewardKind, AllAreDescribed) {
  const std::string page = read_file(DIPTYCH_SOURCE_DIR "/docs/rewards.md");
  for (const RewardKind& kind : reward_kinds())
    EXPECT_NE(page.find("\n| `" + kind.name + "` | "), std::string::npos) << kind.name;
}

TEST(RewardKind, WhatAScoreAsksOfOthersIsKnown) {
  TaskPrompt prompt;
  prompt.questions.resize(7);
  const std::map<std::string, int64_t> of_the_judge = {
      {"dvreward", 7}, {"judge_holistic", 1}, {"viescore", 2}, {"unified_reward", 1}, {"scalar", 1}};
  for (const RewardKind& kind : reward_kinds()) {
    const RewardRequests requests = kind.requests(prompt);
    EXPECT_EQ(requests.judge > 0, kind.asks_judge) << kind.name;
    if (!is_shipped(kind)) continue;
    EXPECT_EQ(requests.judge, of_the_judge.contains(kind.name) ? of_the_judge.at(kind.name) : 0) << kind.name;
    EXPECT_EQ(requests.program, kind.name == "command" ? 1 : 0) << kind.name;
  }
}

}  // namespace
}  // namespace diptych
