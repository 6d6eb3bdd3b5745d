#include "diptych/reward/task.h"

#include <gtest/gtest.h>

#include "diptych/base/rng.h"
#include "diptych/shapes/render.h"
#include "diptych/shapes/sample_scene.h"
#include "support/expect_error.h"

namespace diptych {
namespace {

Image filled(uint8_t value) {
  return {2, 3, std::vector<uint8_t>(18, value)};
}

TEST(TaskTest, BrightnessIsTheMeanByteOfTheLastImage) {
  const RewardFunction reward = make_reward("brightness");
  const TaskPrompt prompt{.text = "bright", .family = "", .implicit = false, .request = std::nullopt};
  const Candidate dark{.prompt = "bright", .texts = {}, .images = {filled(255), filled(51)}};
  const Candidate white{.prompt = "bright", .texts = {}, .images = {filled(255)}};
  const Candidate empty{.prompt = "bright", .texts = {"no picture"}, .images = {}};
  const std::vector<Score> scores = reward({{&prompt, &dark}, {&prompt, &white}, {&prompt, &empty}});
  ASSERT_EQ(scores.size(), 3u);
  EXPECT_DOUBLE_EQ(*scores[0].value, 0.2);
  EXPECT_DOUBLE_EQ(*scores[1].value, 1);
  EXPECT_EQ(scores[2].status, ScoreStatus::failed);
  EXPECT_FALSE(scores[2].value);
}

TEST(TaskTest, VerifierRewardsAgreeWithTheirKind) {
  Stream stream({.seed = 1});
  const TaskPrompt prompt = shapes_task(shapes::sample_prompt(stream, shapes::Split::train, {"two_object"}));
  EXPECT_EQ(prompt.family, "two_object");
  EXPECT_FALSE(prompt.implicit);
  const Candidate wrong{
      .prompt = prompt.text, .texts = {}, .images = {{32, 32, std::vector<uint8_t>(32 * 32 * 3, 245)}}};
  double values[3];
  int next = 0;
  for (const char* kind : {"shapes_strict", "shapes_soft", "shapes_mixed"}) {
    const std::vector<Score> scores = make_reward(kind)({{&prompt, &wrong}});
    ASSERT_EQ(scores.size(), 1u);
    ASSERT_TRUE(scores[0].value);
    values[next++] = *scores[0].value;
  }
  EXPECT_EQ(values[0], 0);
  EXPECT_LT(values[1], 1);
  EXPECT_DOUBLE_EQ(values[2], 0.5 * (values[0] + values[1]));
}

TEST(TaskTest, EveryListedKindCanBeMade) {
  for (const std::string& kind : reward_kinds()) EXPECT_TRUE(make_reward(kind)) << kind;
  expect_error([] { make_reward("beauty"); }, ExitCode::config, {"reward.kind", "brightness", "'beauty'"});
  expect_error([] { make_reward("shapes_"); }, ExitCode::config, {"shapes"});
}

TEST(TaskTest, TheVerifierNeedsPromptsOfItsWorld) {
  const TaskPrompt prompt{.text = "a dog", .family = "", .implicit = false, .request = std::nullopt};
  const Candidate candidate{.prompt = "a dog", .texts = {}, .images = {filled(9)}};
  expect_error(
      [&] {
        make_reward("shapes_soft")({{&prompt, &candidate}});
      },
      ExitCode::config, {"reward.kind", "'a dog'", "prompts.source"});
}

}  // namespace
}  // namespace diptych
