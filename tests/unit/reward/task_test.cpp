#include "diptych/reward/task.h"

#include <gtest/gtest.h>

#include "diptych/base/rng.h"
#include "diptych/shapes/world/render.h"
#include "diptych/shapes/world/sample_scene.h"
#include "support/expect_error.h"
#include "unit/reward/fake_judge.h"

namespace diptych {
namespace {

TEST(TaskTest, BrightnessIsTheMeanByteOfTheLastImage) {
  const RewardFunction reward = make_reward("brightness");
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
  for (const std::string& kind : plain_reward_kinds()) EXPECT_TRUE(make_reward(kind)) << kind;
  expect_error([] { make_reward("beauty"); }, ExitCode::config, {"reward.kind", "brightness", "'beauty'"});
  expect_error([] { make_reward("shapes_"); }, ExitCode::config, {"shapes"});
}

TEST(TaskTest, EditsAreVerifiedAsEdits) {
  Stream stream({.seed = 2});
  const shapes::World world;
  TaskPrompt prompt = prompt_of("");
  prompt.edit = shapes::sample_edit(stream, shapes::Split::train, shapes::EditKind::recolour, world);
  prompt.text = prompt.edit->text;
  const shapes::Scene edited = shapes::apply_edit(prompt.edit->edit, prompt.edit->source, world, stream);
  const Candidate done = candidate_of({shapes::render(edited, world)});
  const Candidate undone = candidate_of({shapes::render(prompt.edit->source, world)});
  const Candidate none = candidate_of({});
  const std::vector<ScoredPair> pairs = {{&prompt, &done}, {&prompt, &undone}, {&prompt, &none}};
  const std::vector<Score> strict = make_reward("shapes_edit_strict")(pairs);
  const std::vector<Score> soft = make_reward("shapes_edit")(pairs);
  EXPECT_EQ(strict[0].value, 1) << strict[0].raw_reply;
  EXPECT_EQ(strict[1].value, 0);
  EXPECT_GT(soft[0].value.value(), soft[1].value.value());
  EXPECT_EQ(soft[0].checks.at(0).name, "strict");
  EXPECT_NE(soft[1].raw_reply, "");
  EXPECT_EQ(soft[2].status, ScoreStatus::failed);
  expect_error(
      [&] {
        make_reward("shapes_soft")({{&prompt, &done}});
      },
      ExitCode::config, {"shapes_soft", "shapes_edit"});
}

TEST(TaskTest, TheEditRewardNeedsAnEdit) {
  const TaskPrompt prompt = prompt_of("a dog");
  const Candidate candidate = candidate_of({filled_image(9)});
  expect_error(
      [&] {
        make_reward("shapes_edit")({{&prompt, &candidate}});
      },
      ExitCode::config, {"shapes_edit", "edits of the shapes world", "'a dog'"});
}

TEST(TaskTest, TheVerifierNeedsPromptsOfItsWorld) {
  const TaskPrompt prompt = prompt_of("a dog");
  const Candidate candidate{.prompt = "a dog", .texts = {}, .images = {filled_image(9)}};
  expect_error(
      [&] {
        make_reward("shapes_soft")({{&prompt, &candidate}});
      },
      ExitCode::config, {"reward.kind", "'a dog'", "shapes world"});
}

}  // namespace
}  // namespace diptych
