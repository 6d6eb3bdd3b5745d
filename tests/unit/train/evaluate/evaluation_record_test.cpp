#include "diptych/train/evaluate/evaluation_record.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <sstream>

#include "diptych/io/files.h"
#include "support/temporary_folder.h"

namespace diptych {
namespace {

EvaluatedSample sample_of(size_t i) {
  EvaluatedSample sample;
  sample.prompt.text = "prompt " + std::to_string(i);
  sample.prompt.family = i % 2 == 0 ? "even" : "odd";
  sample.candidate.texts = {"<think> \xff </think>"};  // no valid UTF-8
  sample.candidate.images = {{4, 4, std::vector<uint8_t>(48, static_cast<uint8_t>(i))}};
  sample.score.value = 0.25 * static_cast<double>(i);
  sample.score.checks = {{"strict", 0}};
  sample.correct = i == 2;
  return sample;
}

EvaluationResult result_of(size_t samples) {
  EvaluationResult result;
  for (size_t i = 0; i < samples; ++i) result.samples.push_back(sample_of(i));
  return result;
}

TEST(EvaluationRecordTest, RowsCarryEveryNumber) {
  EvaluationResult result;
  result.correct_explicit = 0.1;
  result.correct_implicit = 0.2;
  result.reward = 0.3;
  result.refined_correct = 0.4;
  result.think_length = 5;
  result.correct_by_family = {{"counting", 0.6}};
  MetricRow row{{"loss/text", 7}};
  add_evaluation(result, row);
  EXPECT_EQ(row, (MetricRow{{"loss/text", 7},
                            {"eval/correct_explicit", 0.1},
                            {"eval/correct_implicit", 0.2},
                            {"eval/reward", 0.3},
                            {"eval/refined_correct", 0.4},
                            {"eval/think_length", 5},
                            {"eval/family/counting", 0.6}}));
  result.reward = std::nullopt;
  MetricRow unscored;
  add_evaluation(result, unscored);
  EXPECT_FALSE(unscored.contains("eval/reward"));
}

TEST(EvaluationRecordTest, RefinementHasRowsOfItsOwn) {
  EvaluationResult result;
  result.refinement = RefinementResult{
      .before = 0.1, .after = 0.2, .refined = 0.3, .kept_right = 0.4, .repaired = 0.5, .by_round = {0.1, 0.2}};
  MetricRow row;
  add_evaluation(result, row);
  EXPECT_EQ(row.at("eval/refine/before"), 0.1);
  EXPECT_EQ(row.at("eval/refine/after"), 0.2);
  EXPECT_EQ(row.at("eval/refine/kept_right"), 0.4);
  EXPECT_EQ(row.at("eval/refine/repaired"), 0.5);
}

TEST(EvaluationRecordTest, EditsHaveRowsOfTheirOwn) {
  EditEvaluation result;
  result.all = {.correct = 0.1, .semantic = 0.2, .quality = 0.3, .overall = 0.4};
  MetricRow row;
  add_edits(result, row);
  EXPECT_EQ(row, (MetricRow{{"eval/edits/correct", 0.1},
                            {"eval/edits/semantic", 0.2},
                            {"eval/edits/quality", 0.3},
                            {"eval/edits/overall", 0.4}}));
}

TEST(EvaluationRecordTest, EveryPictureIsFramedByItsOwnVerdict) {
  EvaluatedSample refined = sample_of(0);
  refined.candidate.images.push_back(refined.candidate.images.front());
  refined.correct_rounds = {false, true};
  refined.correct = true;
  EvaluationResult result;
  result.samples = {refined, refined};
  const TemporaryFolder folder;
  {
    TensorBoardWriter tensorboard(folder.path() / "tensorboard");
    record_samples(folder.path(), 0, result, tensorboard);
  }
  write_samples(folder.path(), "chains", result.samples);
  const auto red_and_green = [](const Image& image) {
    std::pair<int, int> counts;
    for (size_t i = 0; i < image.pixels.size(); i += 3) {
      counts.first += image.pixels[i] == 218 && image.pixels[i + 1] == 54 ? 1 : 0;
      counts.second += image.pixels[i] == 46 && image.pixels[i + 1] == 160 ? 1 : 0;
    }
    return counts;
  };
  // The grid of a run shows first pictures only.
  const auto [grid_red, grid_green] = red_and_green(read_image(evaluation_file(folder.path(), 0, ".png")));
  EXPECT_GT(grid_red, 0);
  EXPECT_EQ(grid_green, 0);
  const auto [chain_red, chain_green] = red_and_green(read_image(folder.path() / "chains.png"));
  EXPECT_GT(chain_red, 0);
  EXPECT_EQ(chain_red, chain_green);
}

TEST(EvaluationRecordTest, TheGridShowsTheBeginningOfBothPools) {
  const EvaluationResult small = result_of(6), large = result_of(100);
  ASSERT_EQ(grid_samples(small).size(), 6u);
  const std::vector<const EvaluatedSample*> grid = grid_samples(large);
  ASSERT_EQ(grid.size(), 48u);
  EXPECT_EQ(grid[0], &large.samples[0]);
  EXPECT_EQ(grid[23], &large.samples[23]);
  EXPECT_EQ(grid[24], &large.samples[50]);
}

TEST(EvaluationRecordTest, SamplesAreWrittenAsImagesAndLines) {
  const TemporaryFolder folder;
  EXPECT_EQ(evaluation_file("run", 42, ".png"), std::filesystem::path("run") / "eval" / "step_000042.png");
  {
    TensorBoardWriter tensorboard(folder.path() / "tensorboard");
    record_samples(folder.path(), 3, result_of(6), tensorboard);
  }
  const Image grid = read_image(evaluation_file(folder.path(), 3, ".png"));
  EXPECT_GT(grid.width, 6 * 4 * 3);
  std::istringstream lines(read_file(evaluation_file(folder.path(), 3, ".jsonl")));
  std::string line;
  int count = 0;
  while (std::getline(lines, line)) {
    const nlohmann::json row = nlohmann::json::parse(line);
    EXPECT_EQ(row.at("prompt"), "prompt " + std::to_string(count));
    EXPECT_EQ(row.at("correct"), count == 2);
    EXPECT_EQ(row.at("reward"), 0.25 * count);
    EXPECT_EQ(row.at("checks").at("strict"), 0);
    ++count;
  }
  EXPECT_EQ(count, 6);
}

}  // namespace
}  // namespace diptych
