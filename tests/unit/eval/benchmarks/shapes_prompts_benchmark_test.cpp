#include "diptych/tensor/torch.h"

#include "diptych/eval/benchmarks/shapes_world.h"

#include <gtest/gtest.h>

#include "diptych/flow/timestep_grid.h"
#include "diptych/reward/shapes_reward.h"
#include "diptych/rollout/episodes/episodes.h"
#include "diptych/shapes/world/caption.h"
#include "diptych/shapes/world/render.h"
#include "support/benchmark_named.h"
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

  EvaluationInput input(const RewardFunction& reward = brightness(), const EvaluationShare& share = {}) const {
    return {.painter = {made_.model, made_.tokenizer, options_}, .config = config_, .reward = reward, .share = share};
  }
  BenchmarkResult evaluate(const RewardFunction& reward = brightness(), const EvaluationShare& share = {}) const {
    return diptych::evaluate(benchmark_named("pictures"), input(reward, share));
  }
  /** Of three samples that nobody painted. */
  BenchmarkResult numbers_of_three(const RewardFunction& reward, bool scored) const {
    const std::vector<TaskPrompt> prompts = benchmark_named("pictures").prompts({.prompts = 1});
    std::vector<EvaluatedSample> samples(3);
    for (size_t i = 0; i < 3; ++i) {
      samples[i].prompt = prompts[i == 0 ? 0 : 1];
      samples[i].prompt.family = i == 2 ? "second" : "first";
      samples[i].think_tokens = static_cast<int64_t>(i) * 3;
      samples[i].correct = i == 2;
      samples[i].correct_rounds = {i == 2};
      if (scored) samples[i].score.value = 0.25 * static_cast<double>(i);
    }
    return benchmark_named("pictures").numbers(input(reward), samples);
  }

  static std::vector<std::vector<uint8_t>> pixels(const BenchmarkResult& result) {
    std::vector<std::vector<uint8_t>> all;
    for (const EvaluatedSample& sample : result.samples) all.push_back(sample.candidate.images.front().pixels);
    return all;
  }

  TemporaryFolder folder_;
  const ModelFolder made_ = make_tiny_model(folder_.path());
  EpisodeOptions options_ = {.program = episode_program("think")};
  EvaluationConfig config_;
};

TEST_F(EvaluationTest, BothPoolsAreBalancedOverFamiliesAndHeldOut) {
  const BenchmarkResult result = evaluate();
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
  EXPECT_EQ(result.report.at("by_family").size(), families.size());
  EXPECT_GT(result.metrics.at("eval/think_length"), 0);
  EXPECT_LE(result.metrics.at("eval/think_length"), 4);
}

TEST_F(EvaluationTest, SharesTogetherAreTheWhole) {
  config_.refine = "self";
  const RewardFunction bright = brightness();
  const BenchmarkResult whole = evaluate(bright);
  std::vector<EvaluatedSample> of_the_second;
  evaluate(bright, {.rank = 1, .world = 2, .join = [&](std::vector<EvaluatedSample> own) {
                      of_the_second = std::move(own);
                      for (EvaluatedSample& sample : of_the_second) sample.prompt = {};
                      return whole.samples;
                    }});
  EXPECT_EQ(of_the_second.size(), 12u);
  const BenchmarkResult joined = evaluate(bright, {.rank = 0, .world = 2, .join = [&](auto own) {
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
  EXPECT_EQ(joined.metrics, whole.metrics);
  EXPECT_EQ(joined.report, whole.report);
  EXPECT_EQ(joined.table, whole.table);
}

TEST_F(EvaluationTest, IsTheSameEveryTimeAndEuler) {
  const BenchmarkResult first = evaluate();
  options_.chains_per_pack = 5;
  options_.schedule.noise_level = 0.1;  // no window in an evaluation, so the noise level means nothing
  const BenchmarkResult second = evaluate();
  EXPECT_EQ(pixels(second), pixels(first));
  EXPECT_EQ(second.metrics, first.metrics);
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
  EXPECT_DOUBLE_EQ(evaluate(half).metrics.at("eval/reward"), 0.75);
  const RewardFunction none = [](const std::vector<ScoredPair>& pairs) { return std::vector<Score>(pairs.size()); };
  EXPECT_FALSE(evaluate(none).metrics.contains("eval/reward"));
}

TEST_F(EvaluationTest, RatesAreThoseOfTheSamples) {
  const BenchmarkResult result = evaluate();
  double hits[2] = {0, 0};
  for (const EvaluatedSample& sample : result.samples) hits[sample.prompt.implicit ? 1 : 0] += sample.correct ? 1 : 0;
  EXPECT_DOUBLE_EQ(result.metrics.at("eval/correct_explicit"), hits[0] / 12);
  EXPECT_DOUBLE_EQ(result.metrics.at("eval/correct_implicit"), hits[1] / 12);
  EXPECT_EQ(result.metrics.at("eval/refined_correct"), 0);  // a model that never learnt writes no caption
}

TEST_F(EvaluationTest, EveryNumberIsToldEverywhere) {
  const BenchmarkResult result = numbers_of_three(brightness(), true);
  EXPECT_EQ(result.metrics, (std::map<std::string, double>{{"eval/correct_explicit", 0},
                                                           {"eval/correct_implicit", 0.5},
                                                           {"eval/reward", 0.25},
                                                           {"eval/refined_correct", 0},
                                                           {"eval/think_length", 3},
                                                           {"eval/family/first", 0},
                                                           {"eval/family/second", 1}}));
  EXPECT_EQ(result.summary, "correct explicit 0.000, implicit 0.500, reward 0.250");
  EXPECT_EQ(result.report, nlohmann::json({{"split", "validation"},
                                           {"prompts_per_pool", 12},
                                           {"correct_explicit", 0.0},
                                           {"correct_implicit", 0.5},
                                           {"reward", 0.25},
                                           {"refined_correct", 0.0},
                                           {"by_family", {{"first", 0.0}, {"second", 1.0}}}}));
  EXPECT_EQ(result.table,
            "Strictly correct pictures, 12 prompts a pool, validation split, refinement: none\n"
            "  explicit prompts               0.000\n"
            "  implicit prompts               0.500\n"
            "  mean of both                   0.250\n"
            "  reward                         0.250\n"
            "  thoughts that ask for it       0.000\n"
            "    first                        0.000\n"
            "    second                       1.000\n");
}

TEST_F(EvaluationTest, WhereNothingWasScoredThereIsNoReward) {
  const BenchmarkResult result = numbers_of_three(brightness(), false);
  EXPECT_FALSE(result.metrics.contains("eval/reward"));
  EXPECT_FALSE(result.report.contains("reward"));
  EXPECT_EQ(result.summary, "correct explicit 0.000, implicit 0.500, reward of none");
}

TEST_F(EvaluationTest, WithoutARewardOfTheRecipeTheSoftOneIsMeasuredButNotToldInTheLog) {
  EXPECT_EQ(evaluate({}).metrics, evaluate(exact_reward(ShapesRewardKind::soft)).metrics);
  EXPECT_EQ(numbers_of_three({}, true).summary, "correct explicit 0.000, implicit 0.500");
}

TEST_F(EvaluationTest, ReflectionsAreScoredOnThePictureThatTheyLookedAt) {
  using shapes::Colour;
  using shapes::Shape;
  const std::string text = "two red circles";
  const std::string reflection =
      "<think> the picture shows one red circle and one blue square . it needs two red circles . </think> replace the "
      "blue square with a red circle";
  shapes::Prompt prompt;
  prompt.text = text;
  prompt.request = *shapes::parse_caption(text);
  EvaluatedSample sample;
  sample.prompt = shapes_task(prompt);
  const shapes::Scene wrong{.objects = {{Shape::circle, Colour::red, 0}, {Shape::square, Colour::blue, 3}}};
  const shapes::Scene right{.objects = {{Shape::circle, Colour::red, 0}, {Shape::circle, Colour::red, 3}}};
  for (const shapes::Scene& scene : {wrong, right})
    sample.candidate.images.push_back(shapes::render(scene, shapes::World{}));
  sample.candidate.texts = {"a thought", reflection};
  sample.correct_rounds = {false, true};
  sample.reviews = {{.text = 1, .picture = 0, .of_right_picture = false}};
  config_.refine = "always";
  const auto rates = [&] { return benchmark_named("pictures").numbers(input(), {sample}).metrics; };
  EXPECT_EQ(rates().at("eval/refine/described"), 1);
  EXPECT_EQ(rates().at("eval/refine/diagnosed"), 1);
  sample.reviews[0].picture = 1;
  EXPECT_EQ(rates().at("eval/refine/described"), 0);
  EXPECT_EQ(rates().at("eval/refine/diagnosed"), 0);
  sample.reviews[0] = {.text = 0, .picture = 0, .of_right_picture = false};
  EXPECT_EQ(rates().at("eval/refine/described"), 0);
}

TEST_F(EvaluationTest, NoPromptsGiveAnEmptyResult) {
  config_.prompts = 0;
  const BenchmarkResult result = evaluate();
  EXPECT_TRUE(result.samples.empty());
  EXPECT_FALSE(result.metrics.contains("eval/reward"));
}

TEST(SplitTest, HasThreeNames) {
  EXPECT_EQ(split_named("train"), shapes::Split::train);
  EXPECT_EQ(split_named("validation"), shapes::Split::validation);
  EXPECT_EQ(split_named("test"), shapes::Split::test);
}

TEST_F(EvaluationTest, SaysWhetherThereAreThoughts) {
  const auto tells_of_thoughts = [](const BenchmarkResult& result) {
    return result.table.find("thoughts that ask for it") != std::string::npos;
  };
  EXPECT_TRUE(tells_of_thoughts(evaluate()));
  options_.program = episode_program("rounds:2");
  EXPECT_TRUE(tells_of_thoughts(evaluate()));
  options_.program = episode_program("t2i");
  const BenchmarkResult result = evaluate();
  EXPECT_FALSE(tells_of_thoughts(result));
  EXPECT_EQ(result.metrics.at("eval/think_length"), 0);
}

TEST_F(EvaluationTest, PicturesOfAnotherSizeAreRefused) {
  options_.image_height = options_.image_width = 64;  // which the model could paint
  expect_error([&] { evaluate(); }, ExitCode::config, {"rollout.image_size", "expected 32", "got 64"});
}

}  // namespace
}  // namespace diptych
