#include "diptych/tensor/torch.h"

#include "diptych/eval/refinement_result.h"

#include <gtest/gtest.h>

#include <map>

#include "diptych/flow/timestep_grid.h"
#include "diptych/reward/shapes_task.h"
#include "diptych/rollout/episodes/episodes.h"
#include "diptych/shapes/world/render.h"
#include "diptych/shapes/world/sample_scene.h"
#include "support/benchmark_named.h"
#include "support/scripted_model.h"
#include "support/temporary_folder.h"
#include "unit/eval/brightness.h"

namespace diptych {
namespace {

EpisodeOptions short_options() {
  EpisodeOptions options = {.program = episode_program("think")};
  options.reflection_prompt = "{prompt} failed";
  options.review_prompt = "is it {prompt} ?";
  options.text.max_tokens = 8;
  options.schedule = {.grid = timestep_grid(3, 2), .noise_level = 0.8, .window_begin = 0, .window_size = 0};
  options.image_height = options.image_width = 32;
  return options;
}

/** Pictures of the renderer, every second one of another request than its prompt's. */
std::vector<EvaluatedSample> half_right(int count) {
  const shapes::World world;
  std::vector<EvaluatedSample> samples;
  const std::vector<shapes::Prompt> prompts =
      shapes::evaluation_pool(shapes::Split::validation, /*implicit=*/false, count, 0);
  const shapes::Scene empty;
  for (const shapes::Prompt& prompt : prompts) {
    Stream stream({.seed = 7, .purpose = Purpose::scene, .prompt = samples.size()});
    const bool right = samples.size() % 2 == 0;
    EvaluatedSample sample;
    sample.place = samples.size();
    sample.prompt = shapes_task(prompt);
    sample.candidate.prompt = prompt.text;
    sample.candidate.images = {
        shapes::render(right ? shapes::sample_scene(prompt.request, world, stream) : empty, world)};
    samples.push_back(std::move(sample));
  }
  judge_pictures(benchmark_named("pictures").verdicts, samples);
  return samples;
}

class RefinementTest : public ::testing::Test {
 protected:
  RefinementResult refine(const std::string& mode, std::vector<EvaluatedSample>& samples) {
    config_.refine = mode;
    refine_samples({made_.model, made_.tokenizer, options_}, config_, benchmark_named("pictures").verdicts, samples);
    return refinement_result(config_, samples);
  }

  TemporaryFolder folder_;
  const ModelFolder made_ = make_scripted_model(folder_.path());
  EpisodeOptions options_ = short_options();
  EvaluationConfig config_{.refine_rounds = 2};
};

TEST_F(RefinementTest, PicturesAreJudgedByTheVerifier) {
  const std::vector<EvaluatedSample> samples = half_right(12);
  for (size_t i = 0; i < samples.size(); ++i)
    EXPECT_EQ(samples[i].correct_rounds, std::vector<bool>{i % 2 == 0}) << samples[i].prompt.text;
}

TEST_F(RefinementTest, AlwaysRefinesEveryPictureInEveryRound) {
  std::vector<EvaluatedSample> samples = half_right(12);
  const RefinementResult result = refine("always", samples);
  for (const EvaluatedSample& sample : samples) {
    EXPECT_EQ(sample.candidate.images.size(), 3u);
    EXPECT_EQ(sample.candidate.texts.size(), 2u);
    EXPECT_EQ(sample.correct_rounds.size(), 3u);
  }
  // The model never learnt to paint, so right pictures become wrong.
  EXPECT_DOUBLE_EQ(result.before, 0.5);
  EXPECT_EQ(result.after, 0);
  EXPECT_EQ(result.refined, 1);
  EXPECT_EQ(result.kept_right, 0);
  EXPECT_EQ(result.repaired, 0);
  EXPECT_EQ(result.by_round.size(), 3u);
  EXPECT_EQ(result.by_round.front(), result.before);
  EXPECT_EQ(result.by_round.back(), result.after);
  EXPECT_EQ(result.stops, 0);
}

TEST_F(RefinementTest, TheOracleLeavesRightPicturesAlone) {
  std::vector<EvaluatedSample> samples = half_right(12);
  const RefinementResult result = refine("oracle", samples);
  for (size_t i = 0; i < samples.size(); ++i) EXPECT_EQ(samples[i].candidate.images.size(), i % 2 == 0 ? 1u : 3u);
  EXPECT_DOUBLE_EQ(result.after, 0.5);
  EXPECT_EQ(result.refined, 0.5);
  EXPECT_EQ(result.kept_right, 1);
}

TEST_F(RefinementTest, TheModelItselfStops) {
  std::vector<EvaluatedSample> samples = half_right(24);
  const RefinementResult result = refine("self", samples);
  double reviews = 0, right_reviews = 0, stops = 0, right_stops = 0;
  for (const EvaluatedSample& sample : samples) {
    // One text a review; a stop or an unreadable text paints nothing.
    const size_t texts = sample.candidate.texts.size();
    ASSERT_GE(texts, 1u);
    for (size_t k = 0; k < texts; ++k) {
      const StageEnd end = end_of_review(sample.candidate.texts[k], "done");
      ++reviews;
      right_reviews += sample.correct_rounds[k] ? 1 : 0;
      if (end != StageEnd::stopped) continue;
      EXPECT_EQ(k + 1, texts);
      EXPECT_TRUE(sample.stopped());
      ++stops;
      right_stops += sample.correct_rounds[k] ? 1 : 0;
    }
    EXPECT_EQ(texts, sample.stopped() ? texts : 2u);
    EXPECT_LE(sample.candidate.images.size(), texts + 1);
    EXPECT_EQ(sample.correct_rounds.size(), 3u);
  }
  EXPECT_GT(stops, 4);
  EXPECT_LT(stops, reviews);
  EXPECT_DOUBLE_EQ(result.stops, stops / reviews);
  EXPECT_DOUBLE_EQ(result.stop_precision, right_stops / stops);
  EXPECT_DOUBLE_EQ(result.stop_recall, right_stops / right_reviews);
  EXPECT_GT(result.kept_right, 0);  // where it stopped at once
  EXPECT_LT(result.refined, 1);
}

TEST_F(RefinementTest, AReviewNamesItsTextAndThePictureThatItLookedAt) {
  for (const char* mode : {"always", "oracle", "self"}) {
    std::vector<EvaluatedSample> samples = half_right(12);
    refine(mode, samples);
    size_t reviews = 0;
    for (const EvaluatedSample& sample : samples) {
      ASSERT_EQ(sample.reviews.size(), sample.candidate.texts.size()) << "no thought ahead of them";
      size_t pictures = 1;
      for (size_t k = 0; k < sample.reviews.size(); ++k, ++reviews) {
        EXPECT_EQ(sample.reviews[k].text, k);
        EXPECT_EQ(sample.reviews[k].picture, pictures - 1);
        EXPECT_EQ(sample.reviews[k].of_right_picture, sample.correct_rounds[k]);
        const bool paints =
            std::string(mode) != "self" || end_of_review(sample.candidate.texts[k], "done") == StageEnd::painted;
        pictures += paints ? 1 : 0;
      }
      EXPECT_EQ(sample.candidate.images.size(), pictures);
    }
    EXPECT_GT(reviews, 0u);
  }
}

TEST_F(RefinementTest, RatesOfRefinementAreToldEverywhere) {
  RefinementResult refinement;
  refinement.before = 0.1;
  refinement.after = 0.2;
  refinement.refined = 0.3;
  refinement.kept_right = 0.4;
  refinement.repaired = 0.5;
  refinement.by_round = {0.1, 0.2};
  refinement.stops = 0.6;
  refinement.stop_precision = 0.7;
  refinement.stop_recall = 0.8;
  config_.refine = "self";
  config_.refine_rounds = 1;
  BenchmarkResult result;
  tell_refinement(refinement, config_, result);
  std::map<std::string, double> metrics = {{"eval/refine/before", 0.1},     {"eval/refine/after", 0.2},
                                           {"eval/refine/kept_right", 0.4}, {"eval/refine/repaired", 0.5},
                                           {"eval/refine/stops", 0.6},      {"eval/refine/stop_precision", 0.7},
                                           {"eval/refine/stop_recall", 0.8}};
  EXPECT_EQ(result.metrics, metrics);
  EXPECT_EQ(result.report.at("refinement").at("refined"), 0.3);
  EXPECT_EQ(result.report.at("refinement").at("stops"), 0.6);
  EXPECT_EQ(result.report.at("refinement").at("by_round"), nlohmann::json({0.1, 0.2}));
  refinement.described = 0.9;
  refinement.diagnosed = 1;
  result = {};
  tell_refinement(refinement, config_, result);
  metrics["eval/refine/described"] = 0.9;
  metrics["eval/refine/diagnosed"] = 1;
  EXPECT_EQ(result.metrics, metrics);
  EXPECT_EQ(result.table,
            "\nRefinement, mode self, 1 round\n"
            "  before                         0.100\n"
            "  after                          0.200\n"
            "  share refined                  0.300\n"
            "  right pictures kept right      0.400\n"
            "  wrong pictures repaired        0.500\n"
            "  true descriptions              0.900\n"
            "  faults named                   1.000\n"
            "  reviews that stopped           0.600\n"
            "  stop precision                 0.700\n"
            "  stop recall                    0.800\n");
}

TEST_F(RefinementTest, IsTheSameEveryTime) {
  for (const char* mode : {"always", "oracle", "self"}) {
    std::vector<EvaluatedSample> first = half_right(6), second = half_right(6);
    options_.chains_per_pack = 128;
    const RefinementResult result = refine(mode, first);
    options_.chains_per_pack = 2;
    EXPECT_EQ(refine(mode, second).by_round, result.by_round);
    for (size_t i = 0; i < 6; ++i) {
      EXPECT_EQ(second[i].candidate.texts, first[i].candidate.texts);
      ASSERT_EQ(second[i].candidate.images.size(), first[i].candidate.images.size());
      for (size_t k = 0; k < first[i].candidate.images.size(); ++k)
        EXPECT_EQ(second[i].candidate.images[k].pixels, first[i].candidate.images[k].pixels);
    }
  }
}

TEST_F(RefinementTest, AnEvaluationRefinesItsOwnPictures) {
  config_.prompts = 6;
  for (const char* mode : {"none", "always", "self"}) {
    config_.refine = mode;
    const BenchmarkResult result =
        evaluate(benchmark_named("pictures"),
                 {.painter = {made_.model, made_.tokenizer, options_}, .config = config_, .reward = brightness()});
    const bool refines = std::string(mode) != "none";
    for (const char* name : {"before", "after", "kept_right", "repaired", "described", "diagnosed", "stops",
                             "stop_precision", "stop_recall"})
      EXPECT_EQ(result.metrics.contains(std::string("eval/refine/") + name), refines) << name;
    EXPECT_EQ(result.report.contains("refinement"), refines);
    if (refines) {
      EXPECT_EQ(result.report["refinement"]["mode"], mode);
      EXPECT_EQ(result.report["refinement"]["by_round"].size(), 3u);
      EXPECT_EQ(result.report["refinement"].contains("stops"), std::string(mode) == "self");
    }
    ASSERT_EQ(result.samples.size(), 12u);
    for (const EvaluatedSample& sample : result.samples) {
      EXPECT_EQ(sample.correct, sample.correct_rounds.back());
      EXPECT_EQ(sample.correct_rounds.size(), std::string(mode) == "none" ? 1u : 3u);
      if (std::string(mode) == "always") {
        EXPECT_EQ(sample.candidate.texts.size(), 3u);  // the thought first
        EXPECT_EQ(sample.candidate.images.size(), 3u);
      }
    }
  }
}

}  // namespace
}  // namespace diptych
