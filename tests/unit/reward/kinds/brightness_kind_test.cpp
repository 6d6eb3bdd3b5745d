#include <gtest/gtest.h>

#include "diptych/reward/kinds/reward_config.h"
#include "unit/reward/fake_judge.h"

namespace diptych {
namespace {

TEST(BrightnessKind, BrightnessIsTheMeanByteOfTheLastImage) {
  const RewardFunction reward =
      find_reward_kind("brightness")->make({.config = RewardConfig(), .ask = {}, .context = {}});
  const TaskPrompt prompt = prompt_of("bright");
  const Candidate dark{.prompt = "bright", .texts = {}, .images = {filled_image(255), filled_image(51)}};
  const Candidate white{.prompt = "bright", .texts = {}, .images = {filled_image(255)}};
  const Candidate empty{.prompt = "bright", .texts = {"no picture"}, .images = {}};
  const std::vector<Score> scores = reward({{&prompt, &dark}, {&prompt, &white}, {&prompt, &empty}});
  ASSERT_EQ(scores.size(), 3u);
  EXPECT_DOUBLE_EQ(*scores[0].value, 0.2);
  EXPECT_DOUBLE_EQ(*scores[1].value, 1);
  EXPECT_EQ(scores[2].status, ScoreStatus::failed);
  EXPECT_FALSE(scores[2].value);
}

}  // namespace
}  // namespace diptych
