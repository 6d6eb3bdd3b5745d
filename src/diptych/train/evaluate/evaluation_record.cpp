#include "diptych/train/evaluate/evaluation_record.h"

#include <array>
#include <nlohmann/json.hpp>

#include "diptych/base/text_format.h"
#include "diptych/io/files.h"
#include "diptych/report/run_data/evaluation_grid.h"

namespace diptych {

namespace {

constexpr size_t kThoughts = 12;

using Rgb8 = std::array<uint8_t, 3>;

// A frame tells the verdict: green for correct, red for wrong.
Rgb8 verdict_colour(bool correct) {
  return correct ? Rgb8{46, 160, 67} : Rgb8{218, 54, 51};
}

Image framed(const Image& image, const Rgb8& colour) {
  Image result{image.height + 2, image.width + 2, {}};
  for (int i = 0; i < result.height * result.width; ++i)
    result.pixels.insert(result.pixels.end(), colour.begin(), colour.end());
  for (int row = 0; row < image.height; ++row)
    std::copy_n(image.pixels.begin() + row * image.width * 3, image.width * 3,
                result.pixels.begin() + ((row + 1) * result.width + 1) * 3);
  return result;
}

// correct_rounds repeats a verdict where a round painted nothing, so the last image has `correct`.
bool image_is_correct(const EvaluatedSample& sample, size_t k) {
  return k + 1 < sample.candidate.images.size() && k < sample.correct_rounds.size() ? sample.correct_rounds[k]
                                                                                    : sample.correct;
}

nlohmann::json sample_json(const EvaluatedSample& sample) {
  nlohmann::json row{{"prompt", sample.prompt.text}, {"family", sample.prompt.family}, {"correct", sample.correct}};
  if (!sample.candidate.texts.empty()) row["thinking"] = sample.candidate.texts.front();
  if (sample.candidate.texts.size() > 1)
    row["reflections"] = std::vector<std::string>(sample.candidate.texts.begin() + 1, sample.candidate.texts.end());
  if (sample.correct_rounds.size() > 1) row["correct_rounds"] = sample.correct_rounds;
  if (sample.score.value) row["reward"] = *sample.score.value;
  for (const Check& check : sample.score.checks) row["checks"][check.name] = check.value;
  return row;
}

std::string sample_lines(const std::vector<EvaluatedSample>& samples) {
  std::string lines;
  for (const EvaluatedSample& sample : samples)
    lines += sample_json(sample).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
  return lines;
}

}  // namespace

void write_samples(const std::filesystem::path& folder, const std::string& name,
                   const std::vector<EvaluatedSample>& samples) {
  make_folder(folder);
  write_file_atomic(folder / (name + ".jsonl"), sample_lines(samples));
  std::vector<Image> images;
  size_t columns = 1;
  for (size_t i = 0; i < std::min(kGridHalf, samples.size()); ++i)
    columns = std::max(columns, samples[i].prompt.sources.size() + samples[i].candidate.images.size());
  for (size_t i = 0; i < std::min(kGridHalf, samples.size()); ++i) {
    const EvaluatedSample& sample = samples[i];
    for (const Image& source : sample.prompt.sources) images.push_back(framed(source, {128, 128, 128}));
    for (size_t k = 0; k < sample.candidate.images.size(); ++k)
      images.push_back(framed(sample.candidate.images[k], verdict_colour(image_is_correct(sample, k))));
    while (images.size() % columns != 0)
      images.push_back(
          framed(Image{images.back().height - 2, images.back().width - 2,
                       std::vector<uint8_t>(
                           static_cast<size_t>((images.back().height - 2) * (images.back().width - 2) * 3), 255)},
                 {255, 255, 255}));
  }
  if (!images.empty())
    write_png(folder / (name + ".png"), image_grid(images, static_cast<int>(columns), kGridGap, kGridScale));
}

std::vector<const EvaluatedSample*> grid_samples(const std::vector<EvaluatedSample>& samples) {
  std::vector<const EvaluatedSample*> chosen;
  for (const size_t line : grid_lines(samples.size())) chosen.push_back(&samples[line]);
  return chosen;
}

std::filesystem::path evaluation_file(const std::filesystem::path& run_folder, int64_t step,
                                      const std::string& extension) {
  char name[32];
  std::snprintf(name, sizeof name, "step_%06lld", static_cast<long long>(step));
  return run_folder / "eval" / (name + extension);
}

namespace {

void show_samples(const std::filesystem::path& run_folder, int64_t step, const std::vector<EvaluatedSample>& samples,
                  TensorBoardWriter& tensorboard) {
  make_folder(run_folder / "eval");
  std::vector<Image> images;
  std::string thoughts;
  for (const EvaluatedSample* sample : grid_samples(samples)) {
    images.push_back(framed(sample->candidate.images.front(), verdict_colour(image_is_correct(*sample, 0))));
    if (images.size() <= kThoughts && !sample->candidate.texts.empty())
      thoughts += cat("* **", sample->prompt.text, "**: ", sample->candidate.texts.front(), "\n");
  }
  const Image grid = image_grid(images, kGridColumns, kGridGap, kGridScale);
  write_png(evaluation_file(run_folder, step, ".png"), grid);
  tensorboard.image("eval/images", step, grid.height, grid.width, encode_png(grid));
  if (!thoughts.empty()) tensorboard.text("eval/thinking", step, thoughts);
  write_file_atomic(evaluation_file(run_folder, step, ".jsonl"), sample_lines(samples));
}

}  // namespace

void record_samples(const std::filesystem::path& run_folder, int64_t step, const Benchmark& benchmark,
                    const std::vector<EvaluatedSample>& samples, TensorBoardWriter& tensorboard) {
  if (benchmark.shown) return show_samples(run_folder, step, samples, tensorboard);
  write_samples(run_folder / "eval", evaluation_file("", step, "_" + benchmark.name).filename(), samples);
}

}  // namespace diptych
