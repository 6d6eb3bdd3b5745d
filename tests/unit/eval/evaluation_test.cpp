#include "diptych/tensor/torch.h"

#include "diptych/eval/evaluation.h"

#include <gtest/gtest.h>

#include "diptych/flow/timestep_grid.h"
#include "support/expect_error.h"
#include "support/temporary_folder.h"
#include "support/tiny_model.h"
#include "unit/eval/brightness.h"

namespace diptych {
namespace {

class EvaluationTest : public ::testing::Test {
 protected:
  void SetUp() override {
    options_.text.max_tokens = 4;
    options_.schedule = {.grid = timestep_grid(3, 2), .noise_level = 0.8, .window_begin = 0, .window_size = 1};
    options_.image_height = options_.image_width = 32;
    config_.prompts = 12;
  }

  EvaluationResult evaluate(const RewardFunction& reward = brightness(), const EvaluationShare& share = {}) {
    return evaluate_shapes(made_.model, made_.tokenizer, options_, config_, reward, share);
  }

  static std::vector<std::vector<uint8_t>> pixels(const EvaluationResult& result) {
    std::vector<std::vector<uint8_t>> all;
    for (const EvaluatedSample& sample : result.samples) all.push_back(sample.candidate.images.front().pixels);
    return all;
  }

  TemporaryFolder folder_;
  const ModelFolder made_ = make_tiny_model(folder_.path());
  EpisodeOptions options_;
  EvaluationConfig config_;
};

TEST_F(EvaluationTest, BothPoolsAreBalancedOverFamiliesAndHeldOut) {
  const EvaluationResult result = evaluate();
  ASSERT_EQ(result.samples.size(), 24u);
  std::map<std::string, int> families;
  for (size_t i = 0; i < 24; ++i) {
    const EvaluatedSample& sample = result.samples[i];
    EXPECT_EQ(sample.prompt.implicit, i >= 12);
    EXPECT_EQ(sample.candidate.prompt, sample.prompt.text);
    ++families[sample.prompt.family];
    bool held_out = false;
    for (const shapes::Prompt& prompt : shapes::all_prompts(shapes::Split::validation, sample.prompt.family))
      held_out = held_out || prompt.text == sample.prompt.text;
    EXPECT_TRUE(held_out) << sample.prompt.text;
  }
  for (const std::string& family : shapes::families(false)) EXPECT_EQ(families[family], 2) << family;
  for (const std::string& family : shapes::families(true)) EXPECT_EQ(families[family], 3) << family;
  EXPECT_EQ(result.correct_by_family.size(), families.size());
  EXPECT_GT(result.think_length, 0);
  EXPECT_LE(result.think_length, 4);
}

TEST_F(EvaluationTest, SharesTogetherAreTheWhole) {
  config_.refine = "self";
  const EvaluationResult whole = evaluate();
  std::vector<EvaluatedSample> of_the_second;
  evaluate(brightness(), {.rank = 1, .world = 2, .join = [&](std::vector<EvaluatedSample> own) {
                            of_the_second = std::move(own);
                            for (EvaluatedSample& sample : of_the_second) sample.prompt = {};
                            return whole.samples;
                          }});
  EXPECT_EQ(of_the_second.size(), 12u);
  const EvaluationResult joined =
      evaluate(brightness(), {.rank = 0, .world = 2, .join = [&](auto own) {
                                EXPECT_EQ(own.size(), 12u);
                                own.insert(own.end(), of_the_second.begin(), of_the_second.end());
                                return own;
                              }});
  EXPECT_EQ(pixels(joined), pixels(whole));
  for (size_t i = 0; i < whole.samples.size(); ++i) {
    EXPECT_EQ(joined.samples[i].place, i);
    EXPECT_EQ(joined.samples[i].prompt.text, whole.samples[i].prompt.text);
    EXPECT_EQ(joined.samples[i].candidate.texts, whole.samples[i].candidate.texts);
  }
  EXPECT_EQ(joined.reward, whole.reward);
  EXPECT_EQ(joined.think_length, whole.think_length);
  EXPECT_EQ(joined.correct_by_family, whole.correct_by_family);
  EXPECT_EQ(joined.refinement->by_round, whole.refinement->by_round);
  EXPECT_EQ(joined.refinement->stops, whole.refinement->stops);
}

TEST_F(EvaluationTest, IsTheSameEveryTimeAndEuler) {
  const EvaluationResult first = evaluate();
  options_.chains_per_pack = 5;
  options_.schedule.noise_level = 0.1;  // no window in an evaluation, so the noise level means nothing
  const EvaluationResult second = evaluate();
  EXPECT_EQ(pixels(second), pixels(first));
  EXPECT_EQ(second.reward, first.reward);
  ++config_.seed;
  EXPECT_NE(pixels(evaluate()), pixels(first));
}

TEST_F(EvaluationTest, MeansAreOverWhatCouldBeScored) {
  const RewardFunction half = [](const std::vector<ScoredPair>& pairs) {
    std::vector<Score> scores(pairs.size());
    for (size_t i = 0; i < pairs.size(); ++i) {
      scores[i].status = i % 2 == 0 ? ScoreStatus::ok : ScoreStatus::masked;
      if (i % 2 == 0) scores[i].value = i < 12 ? 1.0 : 0.5;
    }
    return scores;
  };
  EXPECT_DOUBLE_EQ(evaluate(half).reward.value(), 0.75);
  const RewardFunction none = [](const std::vector<ScoredPair>& pairs) { return std::vector<Score>(pairs.size()); };
  EXPECT_EQ(evaluate(none).reward, std::nullopt);
}

TEST_F(EvaluationTest, RatesAreThoseOfTheSamples) {
  const EvaluationResult result = evaluate();
  double hits[2] = {0, 0};
  for (const EvaluatedSample& sample : result.samples) hits[sample.prompt.implicit ? 1 : 0] += sample.correct ? 1 : 0;
  EXPECT_DOUBLE_EQ(result.correct_explicit, hits[0] / 12);
  EXPECT_DOUBLE_EQ(result.correct_implicit, hits[1] / 12);
  EXPECT_EQ(result.refined_correct, 0);  // a model that never learnt writes no caption
}

TEST_F(EvaluationTest, NoPromptsGiveAnEmptyResult) {
  config_.prompts = 0;
  const EvaluationResult result = evaluate();
  EXPECT_TRUE(result.samples.empty());
  EXPECT_EQ(result.reward, std::nullopt);
}

TEST(SplitTest, HasThreeNames) {
  EXPECT_EQ(split_named("train"), shapes::Split::train);
  EXPECT_EQ(split_named("validation"), shapes::Split::validation);
  EXPECT_EQ(split_named("test"), shapes::Split::test);
}

TEST_F(EvaluationTest, SaysWhetherThereAreThoughts) {
  EXPECT_TRUE(evaluate().thinks);
  options_.program = episode_program("rounds:2");
  EXPECT_TRUE(evaluate().thinks);
  options_.program = episode_program("t2i");
  const EvaluationResult result = evaluate();
  EXPECT_FALSE(result.thinks);
  EXPECT_EQ(result.think_length, 0);
}

TEST_F(EvaluationTest, PicturesOfAnotherSizeAreRefused) {
  options_.image_height = options_.image_width = 64;  // which the model could paint
  expect_error([&] { evaluate(); }, ExitCode::config, {"rollout.image_size", "expected 32", "got 64"});
}

}  // namespace
}  // namespace diptych
