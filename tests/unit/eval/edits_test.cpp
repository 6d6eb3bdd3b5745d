#include "diptych/tensor/torch.h"

#include <gtest/gtest.h>

#include "diptych/eval/evaluation.h"
#include "diptych/flow/timestep_grid.h"
#include "diptych/reward/shapes_task.h"
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
  EditEvaluation evaluate() const { return evaluate_edits(made_.model, made_.tokenizer, options_, config_); }

  static std::vector<std::vector<uint8_t>> pixels(const EditEvaluation& result) {
    std::vector<std::vector<uint8_t>> all;
    for (const EvaluatedSample& sample : result.samples) all.push_back(sample.candidate.images.at(0).pixels);
    return all;
  }

  TemporaryFolder folder_;
  const ModelFolder made_ = make_tiny_model(folder_.path());
  EpisodeOptions options_;
  EvaluationConfig config_;
};

TEST_F(EditEvaluationTest, KindsTakeTurnsAndAreHeldOut) {
  const EditEvaluation result = evaluate();
  ASSERT_EQ(result.samples.size(), 14u);
  EXPECT_EQ(result.by_kind.size(), 7u);
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
  EXPECT_NEAR(result.all.correct, correct, 1e-12);
  EXPECT_NEAR(result.all.semantic, semantic, 1e-12);
  EXPECT_NEAR(result.all.quality, quality, 1e-12);
  EXPECT_NEAR(result.all.overall, overall, 1e-12);
  double mean = 0;
  for (const auto& [kind, scores] : result.by_kind) mean += scores.overall / 7;
  EXPECT_NEAR(mean, result.all.overall, 1e-12);
}

TEST_F(EditEvaluationTest, IsTheSameEveryTimeAndEuler) {
  const EditEvaluation first = evaluate();
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
  const EditEvaluation result = evaluate();
  EXPECT_TRUE(result.samples.empty());
  EXPECT_EQ(result.all.overall, 0);
}

TEST_F(EditEvaluationTest, PicturesOfAnotherSizeAreRefused) {
  options_.image_height = options_.image_width = 64;  // which the model could paint
  expect_error([&] { evaluate(); }, ExitCode::config, {"rollout.image_size", "expected 32", "got 64"});
}

}  // namespace
}  // namespace diptych
