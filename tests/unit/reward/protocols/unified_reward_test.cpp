#include "diptych/reward/protocols/unified_reward.h"

#include <gtest/gtest.h>

#include "unit/reward/fake_judge.h"

namespace diptych {
namespace {

TEST(UnifiedRewardRating, FollowsThePattern) {
  EXPECT_EQ(unified_reward_rating("dog (animal): 1\nFinal Score: 4.25"), 4.25);
  EXPECT_EQ(unified_reward_rating("Final Score:\n 3"), 3);
  EXPECT_EQ(unified_reward_rating("Final Score: 3."), 3);
  EXPECT_EQ(unified_reward_rating("Final Score: 2. Final Score: 5"), 2);
  EXPECT_EQ(unified_reward_rating("Final Score: none. Final Score: 5"), 5);
  for (const char* reply : {"**Final Score:** 4", "**Final Score**: **4**", "Final Score:\n- **4**", "final score: 4/5",
                            "Final Score： ４", "Final Score: \\boxed{4}", "Final Score: 4\ndog: 1"})
    EXPECT_EQ(unified_reward_rating(reply), 4) << reply;
  for (const char* reply :
       {"", "Score: 4", "Final Score:", "Final Score: 0.5", "Final Score: 9", "Final Score: 5.5", "Final Score: 45",
        "Final Score: 4/10", "Final Score: -4", "Final Score: 80%", "Final Score: 3 of the dogs"})
    EXPECT_FALSE(unified_reward_rating(reply)) << reply;
}

TEST(UnifiedReward, AsksByItsProtocol) {
  const FakeJudge judge{[](const ChatRequest&) { return replied("Final Score: 4"); }};
  const TaskPrompt prompt = prompt_of("a dog");
  const Candidate candidate = candidate_of({filled_image(9)});
  const Score score = unified_reward({{&prompt, &candidate}}, judge)[0];
  EXPECT_DOUBLE_EQ(score.value.value(), 0.8);
  EXPECT_EQ(score.checks.at(0).value, 4);
  EXPECT_EQ(score.raw_reply, "Final Score: 4");
  const ChatRequest& request = judge.batches->front()[0];
  EXPECT_EQ(request.max_tokens, 512);
  EXPECT_EQ(request.temperature, 0);
  const std::vector<ChatPart>& parts = request.messages[0].parts;
  ASSERT_EQ(parts.size(), 2u);
  ASSERT_TRUE(parts[0].image) << "the image comes first";
  EXPECT_EQ(parts[0].image->height, 512);
  EXPECT_EQ(parts[0].image->width, 512);
  EXPECT_EQ(parts[0].image->pixels[0], 9);
  EXPECT_EQ(parts[0].jpeg_quality, 85);
  EXPECT_TRUE(parts[1].text.ends_with("Text Caption: [a dog]"));
}

TEST(UnifiedReward, AMissingScoreMasksInsteadOfZero) {
  const TaskPrompt prompt = prompt_of("a dog");
  const Candidate candidate = candidate_of({filled_image(9)});
  for (const ChatResult& reply : {replied("I like it"), failed_request("down")}) {
    const Score score =
        unified_reward({{&prompt, &candidate}}, FakeJudge{[&](const ChatRequest&) { return reply; }})[0];
    EXPECT_EQ(score.status, ScoreStatus::masked);
    EXPECT_FALSE(score.value);
    EXPECT_NE(score.raw_reply, "");
  }
}

}  // namespace
}  // namespace diptych
