#include "diptych/reward/format_reward.h"

#include <gtest/gtest.h>

#include "unit/reward/fake_judge.h"

namespace diptych {
namespace {

TEST(FormatReward, AlphaGrposRuleIsToTheLetter) {
  EXPECT_TRUE(has_think_tags("<think>\nplan\n</think>"));
  EXPECT_FALSE(has_think_tags(" <think>plan</think>"));
  EXPECT_FALSE(has_think_tags("<think>plan</think> a dog"));
  EXPECT_FALSE(has_think_tags("<think>plan"));
  EXPECT_FALSE(has_think_tags(""));
}

TEST(FormatReward, OurRuleWantsAnAnswerAfterTheThought) {
  EXPECT_TRUE(has_think_answer("<think> plan </think> a dog"));
  EXPECT_FALSE(has_think_answer("<think> plan </think>"));
  EXPECT_FALSE(has_think_answer("<think> plan </think> a </think> dog"));
  EXPECT_FALSE(has_think_answer("plan </think> a dog"));
  EXPECT_FALSE(has_think_answer("a dog"));
}

TEST(FormatReward, AnEmptyThoughtEarnsNothing) {
  for (const std::string thought : {"", " ", "\n\n", "\u3000", "\u200b", "...", "—"}) {
    EXPECT_FALSE(has_think_tags("<think>" + thought + "</think>")) << thought;
    EXPECT_FALSE(has_think_answer("<think>" + thought + "</think> a dog")) << thought;
  }
  EXPECT_TRUE(has_think_answer("<think>猫</think> a cat"));
}

TEST(FormatReward, IsTheShareOfTextsThatKeepTheRule) {
  const Candidate candidate = candidate_of({}, {"<think> a </think> b", "<think> a </think>", "c"});
  EXPECT_DOUBLE_EQ(*format_reward(candidate, FormatRule::think).value, 1.0 / 3);
  EXPECT_DOUBLE_EQ(*format_reward(candidate, FormatRule::think_answer).value, 1.0 / 3);
  EXPECT_EQ(*format_reward(candidate_of({filled_image(1)}), FormatRule::think).value, 0);
}

}  // namespace
}  // namespace diptych
