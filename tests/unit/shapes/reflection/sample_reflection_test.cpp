#include "diptych/shapes/reflection/sample_reflection.h"

#include <gtest/gtest.h>

#include <map>

#include "diptych/shapes/prompts/prompts.h"
#include "diptych/shapes/reflection/reflection.h"
#include "diptych/shapes/verify/truth.h"
#include "diptych/shapes/world/caption.h"

namespace diptych::shapes {
namespace {

constexpr int kDraws = 4000;  // standard deviation of a share below 0.008

/** Training prompts by the instruction that holds them. */
std::map<std::string, Request> truths(std::string (*instruction)(std::string_view)) {
  std::map<std::string, Request> requests;
  for (const bool implicit : {false, true})
    for (const std::string& family : families(implicit))
      for (const Prompt& prompt : all_prompts(Split::train, family))
        requests.emplace(instruction(prompt.text), prompt.request);
  return requests;
}

TEST(SampleReflection, RepairsWhatIsWrong) {
  const World world;
  const std::map<std::string, Request> requests = truths(reflection_prompt);
  int true_descriptions = 0, repaired = 0, right_needs = 0;
  for (uint64_t index = 0; index < kDraws; ++index) {
    Stream stream({.seed = 1, .sample = index});
    const ReflectionExample example = sample_reflection(world, stream);
    ASSERT_TRUE(requests.contains(example.prompt)) << example.prompt << " is held out";
    const Request& truth = requests.at(example.prompt);
    EXPECT_FALSE(fulfils(example.picture, truth, world)) << example.prompt;
    ASSERT_TRUE(example.repaired.has_value());
    const Reflection reflection = parse_reflection(example.answer);
    ASSERT_FALSE(reflection.done) << example.answer;
    const Request& wanted = *reflection.wanted;
    right_needs += wanted == truth;
    const bool described = *reflection.shown == describe(example.picture, wanted, world);
    true_descriptions += described;
    if (described) {
      EXPECT_TRUE(fulfils(*example.repaired, wanted, world)) << example.answer;
    }
    repaired += fulfils(*example.repaired, truth, world);
  }
  EXPECT_NEAR(true_descriptions / double(kDraws), 1 - kMissedShare, 0.02);
  EXPECT_GT(right_needs, 0.7 * kDraws);
  EXPECT_LT(right_needs, 0.85 * kDraws) << "half of the prompts hang on facts that are right 60 % of the time";
  EXPECT_NEAR(repaired, right_needs * (1 - kMissedShare), 0.02 * kDraws);
}

TEST(SampleReview, SharesOfRightAndOverconfident) {
  const World world;
  const std::map<std::string, Request> requests = truths(review_prompt);
  int right = 0, done_of_wrong = 0;
  for (uint64_t index = 0; index < kDraws; ++index) {
    Stream stream({.seed = 2, .sample = index});
    const ReflectionExample example = sample_review(world, stream);
    const Reflection reflection = parse_reflection(example.answer);
    EXPECT_EQ(reflection.done, !example.repaired.has_value());
    const Request& truth = requests.at(example.prompt);
    if (fulfils(example.picture, truth, world)) {
      ++right;
      EXPECT_TRUE(reflection.done) << example.answer;
      EXPECT_EQ(*reflection.wanted, truth) << example.answer;
    } else {
      done_of_wrong += reflection.done;
    }
  }
  EXPECT_NEAR(right / double(kDraws), kRightShare, 0.03);
  EXPECT_NEAR(done_of_wrong / double(kDraws - right), kOverconfidentShare, 0.03);
}

}  // namespace
}  // namespace diptych::shapes
