#include "diptych/shapes/examples/visual_question.h"

#include <gtest/gtest.h>

#include <map>
#include <set>

#include "diptych/shapes/prompts/prompts.h"
#include "diptych/shapes/verify/detect.h"
#include "diptych/shapes/world/caption.h"
#include "diptych/shapes/world/questions.h"

namespace diptych::shapes {
namespace {

constexpr uint64_t kQuestions = 6000;

VisualQuestion draw(uint64_t index) {
  Stream stream({.seed = 1, .sample = index});
  return sample_visual_question(World{}, stream);
}

TEST(VisualQuestion, AnswersAreBalancedForEveryTag) {
  std::map<std::string, std::array<int, 2>> counts;
  for (uint64_t index = 0; index < kQuestions; ++index) {
    const VisualQuestion question = draw(index);
    ++counts[question.tag][question.answer];
  }
  EXPECT_EQ(counts.size(), 7u);
  for (const auto& [tag, count] : counts) {
    const double share = count[1] / double(count[0] + count[1]);
    EXPECT_GT(count[0] + count[1], static_cast<int>(kQuestions) / 20) << tag;
    EXPECT_NEAR(share, 0.5, 0.06) << tag;
  }
}

TEST(VisualQuestion, TheWordsAloneTellNothing) {
  std::map<std::string, std::array<int, 2>> counts;
  for (uint64_t index = 0; index < kQuestions; ++index) {
    const VisualQuestion question = draw(index);
    ++counts[question.text][question.answer];
  }
  int frequent = 0;
  for (const auto& [text, count] : counts) {
    if (count[0] + count[1] < 60) continue;
    ++frequent;
    EXPECT_NEAR(count[1] / double(count[0] + count[1]), 0.5, 0.25) << text;
  }
  EXPECT_GE(frequent, 8);
}

TEST(VisualQuestion, ExistenceIsWhatTheDetectorSees) {
  const World world;
  int compared = 0;
  for (uint64_t index = 0; index < 1500; ++index) {
    const VisualQuestion question = draw(index);
    for (const std::string_view name : kShapeNames) {
      if (question.text != "Is there a " + std::string(name) + "?") continue;
      ++compared;
      bool seen = false;
      for (const Detection& detection : detect(question.picture, world))
        seen = seen || kShapeNames[static_cast<size_t>(detection.shape)] == name;
      EXPECT_EQ(seen, question.answer) << question.text << ", draw " << index;
    }
  }
  EXPECT_GT(compared, 100);
}

TEST(VisualQuestion, AnswerTexts) {
  EXPECT_EQ(answer_text(true), "yes");
  EXPECT_EQ(answer_text(false), "no");
}

}  // namespace
}  // namespace diptych::shapes
