#include <gtest/gtest.h>

#include "diptych/base/error.h"
#include "diptych/base/rng.h"
#include "diptych/reward/kinds/reward_config.h"
#include "diptych/reward/shapes_task.h"
#include "diptych/shapes/world/render.h"
#include "diptych/shapes/world/sample_scene.h"
#include "support/expect_error.h"
#include "unit/reward/fake_judge.h"

namespace diptych {
namespace {

RewardFunction reward_of(const std::string& kind) {
  RewardConfig config;
  config.kind = kind;
  return make_reward(config);
}

TEST(ShapesKind, VerifierRewardsAgreeWithTheirKind) {
  Stream stream({.seed = 1});
  const TaskPrompt prompt = shapes_task(shapes::sample_prompt(stream, shapes::Split::train, {"two_object"}));
  EXPECT_EQ(prompt.family, "two_object");
  EXPECT_FALSE(prompt.implicit);
  const Candidate wrong{
      .prompt = prompt.text, .texts = {}, .images = {{32, 32, std::vector<uint8_t>(32 * 32 * 3, 245)}}};
  double values[3];
  int next = 0;
  for (const char* kind : {"shapes_strict", "shapes_soft", "shapes_mixed"}) {
    const std::vector<Score> scores = reward_of(kind)({{&prompt, &wrong}});
    ASSERT_EQ(scores.size(), 1u);
    ASSERT_TRUE(scores[0].value);
    values[next++] = *scores[0].value;
  }
  EXPECT_EQ(values[0], 0);
  EXPECT_LT(values[1], 1);
  EXPECT_DOUBLE_EQ(values[2], 0.5 * (values[0] + values[1]));
}

TEST(ShapesKind, EditsAreVerifiedAsEdits) {
  Stream stream({.seed = 2});
  const shapes::World world;
  const shapes::EditTask task = shapes::sample_edit(stream, shapes::Split::train, shapes::EditKind::recolour, world);
  const TaskPrompt prompt = edit_task(task, world);
  const shapes::Scene edited = shapes::apply_edit(task.edit, task.source, world, stream);
  const Candidate done = candidate_of({shapes::render(edited, world)});
  const Candidate undone = candidate_of({shapes::render(task.source, world)});
  const Candidate none = candidate_of({});
  const std::vector<ScoredPair> pairs = {{&prompt, &done}, {&prompt, &undone}, {&prompt, &none}};
  const std::vector<Score> strict = reward_of("shapes_edit_strict")(pairs);
  const std::vector<Score> soft = reward_of("shapes_edit")(pairs);
  EXPECT_EQ(strict[0].value, 1) << strict[0].raw_reply;
  EXPECT_EQ(strict[1].value, 0);
  EXPECT_GT(soft[0].value.value(), soft[1].value.value());
  EXPECT_EQ(soft[0].checks.at(0).name, "strict");
  EXPECT_NE(soft[1].raw_reply, "");
  EXPECT_EQ(soft[2].status, ScoreStatus::failed);
  expect_error([&] { reward_of("shapes_soft")({{&prompt, &done}}); }, ExitCode::config, {"shapes_soft", "shapes_edit"});
}

TEST(ShapesKind, TheEditRewardNeedsAnEdit) {
  const TaskPrompt prompt = prompt_of("a dog");
  const Candidate candidate = candidate_of({filled_image(9)});
  expect_error(
      [&] {
        reward_of("shapes_edit")({{&prompt, &candidate}});
      },
      ExitCode::config, {"shapes_edit", "edits of the shapes world", "'a dog'"});
}

TEST(ShapesKind, TheVerifierNeedsPromptsOfItsWorld) {
  const TaskPrompt prompt = prompt_of("a dog");
  const Candidate candidate{.prompt = "a dog", .texts = {}, .images = {filled_image(9)}};
  expect_error(
      [&] {
        reward_of("shapes_soft")({{&prompt, &candidate}});
      },
      ExitCode::config, {"reward.kind", "'a dog'", "shapes world"});
}

/** What the kind has against the run; empty: nothing. */
std::string refusal(const std::string& kind, const RewardedRun& run) {
  try {
    find_reward_kind(kind)->check_run(run);
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

TEST(ShapesKind, ScoresRunsOfItsOwnPromptsOnly) {
  const RewardedRun paints{.episode = "t2i", .edits = false, .image_size = 32};
  const RewardedRun edits{.episode = "edit", .edits = true, .image_size = 32};
  RewardedRun own = paints, large = paints;
  own.foreign_prompts = "prompts from a file";
  large.image_size = 64;
  for (const char* kind : {"shapes_strict", "shapes_soft", "shapes_mixed", "shapes_dvreward"}) {
    EXPECT_EQ(refusal(kind, paints), "") << kind;
    EXPECT_NE(refusal(kind, edits).find("a reward for edits, such as \"shapes_edit\""), std::string::npos) << kind;
    EXPECT_NE(refusal(kind, own).find("a reward for prompts from a file"), std::string::npos) << kind;
    EXPECT_NE(refusal(kind, large).find("rollout.image_size"), std::string::npos) << kind;
    EXPECT_FALSE(find_reward_kind(kind)->edits_only);
  }
  for (const char* kind : {"shapes_edit", "shapes_edit_strict"}) {
    EXPECT_EQ(refusal(kind, edits), "") << kind;
    EXPECT_NE(refusal(kind, paints).find("episode t2i, which edits nothing"), std::string::npos) << kind;
    EXPECT_NE(refusal(kind, own).find("a reward for prompts from a file"), std::string::npos) << kind;
    EXPECT_TRUE(find_reward_kind(kind)->edits_only);
  }
  EXPECT_EQ(refusal("brightness", own), "");
  EXPECT_EQ(refusal("dvreward", large), "");
}

TEST(ShapesKind, TheFirstRewardThatCannotScoreTheRunIsNamed) {
  RewardConfig config;
  config.kind = "brightness";
  config.terms = {"shapes_soft:1", "shapes_edit:1", "beauty:1", "broken"};
  expect_error(
      [&] {
        check_rewarded_run(config, {.episode = "t2i", .foreign_prompts = "prompts from a file", .image_size = 32});
      },
      ExitCode::config, {"reward.kind", "\"shapes_soft\""});
  expect_error([&] { check_rewarded_run(config, {.episode = "t2i", .image_size = 32}); }, ExitCode::config,
               {"reward.kind", "\"shapes_edit\""});
  EXPECT_EQ(reward_of_edits(config)->name, "shapes_edit");
  config.terms = {"shapes_soft:1"};
  EXPECT_EQ(reward_of_edits(config), nullptr);
}

}  // namespace
}  // namespace diptych
