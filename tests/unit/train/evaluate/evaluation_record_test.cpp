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

std::vector<EvaluatedSample> samples_of(size_t count) {
  std::vector<EvaluatedSample> samples;
  for (size_t i = 0; i < count; ++i) samples.push_back(sample_of(i));
  return samples;
}

Benchmark benchmark(bool shown) {
  Benchmark benchmark;
  benchmark.name = "chains";
  benchmark.shown = shown;
  return benchmark;
}

TEST(EvaluationRecordTest, EveryPictureIsFramedByItsOwnVerdict) {
  EvaluatedSample refined = sample_of(0);
  refined.candidate.images.push_back(refined.candidate.images.front());
  refined.correct_rounds = {false, true};
  refined.correct = true;
  const std::vector<EvaluatedSample> samples = {refined, refined};
  const TemporaryFolder folder;
  {
    TensorBoardWriter tensorboard(folder.path() / "tensorboard");
    record_samples(folder.path(), 0, benchmark(true), samples, tensorboard);
  }
  write_samples(folder.path(), "chains", samples);
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
  const std::vector<EvaluatedSample> small = samples_of(6), large = samples_of(100);
  ASSERT_EQ(grid_samples(small).size(), 6u);
  const std::vector<const EvaluatedSample*> grid = grid_samples(large);
  ASSERT_EQ(grid.size(), 48u);
  EXPECT_EQ(grid[0], &large[0]);
  EXPECT_EQ(grid[23], &large[23]);
  EXPECT_EQ(grid[24], &large[50]);
}

TEST(EvaluationRecordTest, SamplesAreWrittenAsImagesAndLines) {
  const TemporaryFolder folder;
  EXPECT_EQ(evaluation_file("run", 42, ".png"), std::filesystem::path("run") / "eval" / "step_000042.png");
  {
    TensorBoardWriter tensorboard(folder.path() / "tensorboard");
    record_samples(folder.path(), 3, benchmark(true), samples_of(6), tensorboard);
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

TEST(EvaluationRecordTest, OnlyTheShownBenchmarkHasTheNameOfTheStepAlone) {
  const TemporaryFolder run, other;
  {
    TensorBoardWriter tensorboard(run.path() / "tensorboard");
    record_samples(run.path(), 3, benchmark(false), samples_of(6), tensorboard);
  }
  write_samples(other.path(), "other", samples_of(6));
  EXPECT_FALSE(std::filesystem::exists(evaluation_file(run.path(), 3, ".jsonl")));
  for (const char* extension : {".jsonl", ".png"})
    EXPECT_EQ(read_file(run.path() / "eval" / (std::string("step_000003_chains") + extension)),
              read_file(other.path() / (std::string("other") + extension)));
}

}  // namespace
}  // namespace diptych
