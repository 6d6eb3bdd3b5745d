#include "diptych/reward/shapes_reward.h"

#include <gtest/gtest.h>

#include <cmath>

#include "diptych/shapes/prompts/prompts.h"
#include "diptych/shapes/verify/verify.h"
#include "diptych/shapes/world/caption.h"
#include "diptych/shapes/world/questions.h"
#include "diptych/shapes/world/render.h"
#include "diptych/shapes/world/sample_scene.h"

namespace diptych {
namespace {

using shapes::parse_caption;
using shapes::Request;
using shapes::World;

Candidate picture_of(const Request& request, uint64_t seed) {
  Stream stream({.seed = seed, .purpose = Purpose::scene});
  return {.prompt = caption(request),
          .texts = {},
          .images = {shapes::render(shapes::sample_scene(request, World{}, stream), World{})}};
}

double value(const char* asked, const char* shown, ShapesRewardKind kind) {
  return *shapes_reward(*parse_caption(asked), World{}, picture_of(*parse_caption(shown), 1), kind).value;
}

TEST(ShapesReward, ScenesOfTheRequestGetFullMarks) {
  uint64_t seed = 0;
  for (const bool implicit : {false, true})
    for (const shapes::Prompt& prompt : shapes::evaluation_pool(shapes::Split::train, implicit, 150, 1)) {
      const Candidate candidate = picture_of(prompt.request, ++seed);
      const Score score = shapes_reward(prompt.request, World{}, candidate, ShapesRewardKind::mixed);
      EXPECT_EQ(score.status, ScoreStatus::ok);
      EXPECT_EQ(score.checks[0].value, 1) << prompt.refined << ": " << score.raw_reply;
      EXPECT_GT(score.checks[1].value, 0.9) << prompt.refined;
      EXPECT_EQ(score.raw_reply, "");
    }
}

TEST(ShapesReward, SoftRanksNearMissesAboveFarOnes) {
  const auto soft = [](const char* asked, const char* shown) { return value(asked, shown, ShapesRewardKind::soft); };
  const double right = soft("three red circles", "three red circles");
  const double one_missing = soft("three red circles", "two red circles");
  const double wrong_thing = soft("three red circles", "a blue square");
  EXPECT_GT(right, one_missing);
  EXPECT_GT(one_missing, wrong_thing);
  EXPECT_GT(soft("a red circle", "a blue circle"), soft("a red circle", "a blue square"));
  EXPECT_GT(soft("a circle left of a square", "a circle and a square"), soft("a circle left of a square", "a ring"));
}

TEST(ShapesReward, StrictIsAllOrNothing) {
  EXPECT_EQ(value("two rings", "two rings", ShapesRewardKind::strict), 1);
  EXPECT_EQ(value("two rings", "three rings", ShapesRewardKind::strict), 0);
  EXPECT_EQ(value("a ring", "a ring and a cross", ShapesRewardKind::strict), 0);
  EXPECT_EQ(value("a circle left of a square", "a square left of a circle", ShapesRewardKind::strict), 0);
}

TEST(ShapesReward, MixedIsTheMeanOfBoth) {
  const Request asked = *parse_caption("a red circle and a blue square");
  const Candidate candidate = picture_of(*parse_caption("a red circle and a green square"), 3);
  const auto score = [&](ShapesRewardKind kind) { return *shapes_reward(asked, World{}, candidate, kind).value; };
  const double soft = score(ShapesRewardKind::soft);
  EXPECT_EQ(score(ShapesRewardKind::strict), 0);
  EXPECT_GT(soft, 0);
  EXPECT_LT(soft, 1);
  EXPECT_DOUBLE_EQ(score(ShapesRewardKind::mixed), 0.5 * soft);
}

TEST(ShapesReward, DvRewardIsTheGeometricMeanOfTheAnswers) {
  const Request asked = *parse_caption("a red circle and a blue square");
  const Candidate candidate = picture_of(*parse_caption("a red circle and a green square"), 3);
  const Score score = shapes_reward(asked, World{}, candidate, ShapesRewardKind::dvreward);
  double sums[2] = {0, 0}, counts[2] = {0, 0};
  for (const Check& check : score.checks) {
    if (check.name == "strict" || check.name == "soft") continue;
    const int group = check.name[0] == 's' ? 0 : 1;
    sums[group] += check.value;
    counts[group] += 1;
  }
  const shapes::Verdict verdict = shapes::verify(candidate.images[0], asked, World{});
  EXPECT_EQ(score.value.value(), verdict.soft);
  EXPECT_NEAR(verdict.soft, std::sqrt(sums[0] / counts[0] * sums[1] / counts[1]), 0.01) << "the background is plain";
  EXPECT_NE(score.value.value(), score.checks[1].value);
}

TEST(ShapesReward, ChecksNameEveryQuestion) {
  const Request request = *parse_caption("a red circle above a square");
  const Score score = shapes_reward(request, World{}, picture_of(request, 4), ShapesRewardKind::soft);
  const std::vector<shapes::Question> questions = shapes::atomic_questions(request);
  ASSERT_EQ(score.checks.size(), questions.size() + 2);
  for (size_t index = 0; index < questions.size(); ++index)
    EXPECT_EQ(score.checks[index + 2].name, questions[index].id);
}

TEST(ShapesReward, JudgesTheLastImage) {
  const Request request = *parse_caption("a red circle");
  Candidate candidate = picture_of(*parse_caption("a blue square"), 5);
  candidate.images.push_back(picture_of(request, 6).images[0]);
  EXPECT_EQ(shapes_reward(request, World{}, candidate, ShapesRewardKind::strict).value, 1);
}

TEST(ShapesReward, NoImageIsAFailureNotAZero) {
  const Score score = shapes_reward(*parse_caption("a ring"), World{}, Candidate{}, ShapesRewardKind::soft);
  EXPECT_EQ(score.status, ScoreStatus::failed);
  EXPECT_FALSE(score.value);
}

TEST(ShapesReward, KindsHaveNames) {
  EXPECT_EQ(reward_name(ShapesRewardKind::strict), "shapes_strict");
  EXPECT_EQ(reward_name(ShapesRewardKind::soft), "shapes_soft");
  EXPECT_EQ(reward_name(ShapesRewardKind::mixed), "shapes_mixed");
  EXPECT_EQ(reward_name(ShapesRewardKind::dvreward), "shapes_dvreward");
  EXPECT_EQ(edit_reward_name(false), "shapes_edit");
  EXPECT_EQ(edit_reward_name(true), "shapes_edit_strict");
}

}  // namespace
}  // namespace diptych
