#include "diptych/tensor/torch.h"

#include <gtest/gtest.h>

#include "diptych/flow/timestep_grid.h"
#include "diptych/reward/shapes_task.h"
#include "diptych/rollout/episodes/episodes.h"
#include "support/benchmark_named.h"
#include "support/expect_error.h"
#include "support/temporary_folder.h"
#include "support/tiny_model.h"

namespace diptych {
namespace {

class EditEvaluationTest : public ::testing::Test {
 protected:
  void SetUp() override {
    options_.program = episode_program("edit");
    options_.text.max_tokens = 4;
    options_.schedule = {.grid = timestep_grid(3, 2), .noise_level = 0.8, .window_begin = 0, .window_size = 1};
    options_.image_height = options_.image_width = 32;
    config_.edits = 14;
  }
  EvaluationInput input() const {
    return {.painter = {made_.model, made_.tokenizer, options_}, .config = config_, .reward = {}};
  }
  BenchmarkResult evaluate() const { return diptych::evaluate(benchmark_named("edits"), input()); }

  static std::vector<std::vector<uint8_t>> pixels(const BenchmarkResult& result) {
    std::vector<std::vector<uint8_t>> all;
    for (const EvaluatedSample& sample : result.samples) all.push_back(sample.candidate.images.at(0).pixels);
    return all;
  }

  TemporaryFolder folder_;
  const ModelFolder made_ = make_tiny_model(folder_.path());
  EpisodeOptions options_ = {.program = episode_program("think")};
  EvaluationConfig config_;
};

TEST_F(EditEvaluationTest, KindsTakeTurnsAndAreHeldOut) {
  const BenchmarkResult result = evaluate();
  ASSERT_EQ(result.samples.size(), 14u);
  EXPECT_EQ(result.report.at("edits_by_kind").size(), 7u);
  double correct = 0, semantic = 0, quality = 0, overall = 0;
  for (const EvaluatedSample& sample : result.samples) {
    ASSERT_TRUE(shapes_edit(sample.prompt));
    EXPECT_EQ(shapes::split_of(*shapes_edit(sample.prompt)), shapes::Split::validation);
    EXPECT_EQ(sample.prompt.sources.size(), 1u);
    EXPECT_EQ(sample.candidate.images.size(), 1u);
    EXPECT_TRUE(sample.candidate.texts.empty());
    const shapes::EditVerdict verdict =
        shapes::verify_edit(sample.candidate.images[0], *shapes_edit(sample.prompt), shapes::World{});
    EXPECT_EQ(sample.correct, verdict.correct);
    EXPECT_EQ(sample.score.value, verdict.overall());
    correct += verdict.correct / 14.0;
    semantic += std::min(verdict.followed, verdict.preserved) / 14;
    quality += verdict.quality / 14;
    overall += verdict.overall() / 14;
  }
  EXPECT_EQ(result.metrics.size(), 4u);
  EXPECT_NEAR(result.metrics.at("eval/edits/correct"), correct, 1e-12);
  EXPECT_NEAR(result.metrics.at("eval/edits/semantic"), semantic, 1e-12);
  EXPECT_NEAR(result.metrics.at("eval/edits/quality"), quality, 1e-12);
  EXPECT_NEAR(result.metrics.at("eval/edits/overall"), overall, 1e-12);
  double mean = 0;
  for (const auto& [kind, scores] : result.report.at("edits_by_kind").items())
    mean += scores.at("overall").get<double>() / 7;
  EXPECT_NEAR(mean, overall, 1e-12);
  for (const auto& [name, value] : result.report.at("edits").items())
    EXPECT_EQ(value, result.metrics.at("eval/edits/" + name)) << name;
  EXPECT_EQ(result.report.at("edit_instructions"), 14);
}

TEST_F(EditEvaluationTest, TheTableHasARowForEachKind) {
  config_.edits = 2;
  const shapes::World world;
  std::vector<EvaluatedSample> samples;
  for (const TaskPrompt& prompt : benchmark_named("edits").prompts(config_)) {
    samples.emplace_back();
    samples.back().prompt = prompt;
    samples.back().prompt.family = samples.size() == 1 ? "first" : "second";
    // The picture as it was: perfect, but the edit was not made.
    samples.back().candidate.images = prompt.sources;
  }
  const BenchmarkResult result = benchmark_named("edits").numbers(input(), samples);
  EXPECT_EQ(result.summary, "correct edits 0.000, overall 0.000");
  EXPECT_EQ(result.table,
            "\nEdits, 2 held-out instructions, validation split\n"
            "                               correct  semantic  quality  overall\n"
            "  all                            0.000     0.000    1.000    0.000\n"
            "    first                        0.000     0.000    1.000    0.000\n"
            "    second                       0.000     0.000    1.000    0.000\n");
}

TEST_F(EditEvaluationTest, IsTheSameEveryTimeAndEuler) {
  const BenchmarkResult first = evaluate();
  options_.chains_per_pack = 3;
  options_.schedule.noise_level = 0.1;  // no window in an evaluation, so the noise level means nothing
  EXPECT_EQ(pixels(evaluate()), pixels(first));
  ++config_.seed;
  EXPECT_NE(pixels(evaluate()), pixels(first));
}

TEST_F(EditEvaluationTest, TheEpisodeMayThinkFirst) {
  options_.program = episode_program("edit_think");
  for (const EvaluatedSample& sample : evaluate().samples) EXPECT_EQ(sample.candidate.texts.size(), 1u);
  options_.program = episode_program("rounds:2");  // anything else is measured by its plain edits
  for (const EvaluatedSample& sample : evaluate().samples) EXPECT_TRUE(sample.candidate.texts.empty());
}

TEST_F(EditEvaluationTest, NoEditsGiveAnEmptyResult) {
  config_.edits = 0;
  const BenchmarkResult result = evaluate();
  EXPECT_TRUE(result.samples.empty());
  EXPECT_EQ(result.metrics.at("eval/edits/overall"), 0);
}

TEST_F(EditEvaluationTest, PicturesOfAnotherSizeAreRefused) {
  options_.image_height = options_.image_width = 64;  // which the model could paint
  expect_error([&] { evaluate(); }, ExitCode::config, {"rollout.image_size", "expected 32", "got 64"});
}

}  // namespace
}  // namespace diptych
