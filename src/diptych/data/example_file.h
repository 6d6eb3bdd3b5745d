#pragma once
// Supervised examples from a JSON lines file (docs/data.md).

#include <cstdint>
#include <filesystem>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

#include "diptych/data/example.h"

namespace diptych {

/** One line of the file. Images are paths, the file's folder included. */
struct ExampleRecord {
  std::string prompt;
  std::optional<std::string> thinking;
  std::vector<std::filesystem::path> sources;
  std::optional<std::filesystem::path> image;
};

/** Whether a line's object has a key of examples beside `prompt`. */
bool has_example_keys(const nlohmann::json& object);

/** Reads the keys `prompt` (or `instruction`), `thinking`, `image`, `sources`; `folder` is where relative paths start.
 *  Throws Error(data), located at `where`, for unknown keys, wrong types, a missing prompt, or nothing to learn. */
ExampleRecord parse_example_record(const std::string& where, const nlohmann::json& object,
                                   const std::filesystem::path& folder);

/** Throws Error(data), located at `where`, unless the image is a file. */
void check_image_exists(const std::string& where, const std::filesystem::path& image);

/** Every record of the file; no image is opened. Throws Error(data) for the first fault, which may be an image that
 *  does not exist, and for a file without records. */
std::vector<ExampleRecord> read_example_records(const std::filesystem::path& path);

/** The record with its images decoded. Throws Error(data). */
SupervisedExample load_example(const ExampleRecord& record);

/** Examples of the file in epochs without replacement, each epoch in an order drawn from (seed, epoch). `batch` is the
 *  number of draws a step: draw `index` of step `step` is number step * batch + index of the run. The records are read
 *  at once, images at each draw. Safe to call from several threads. Throws as read_example_records. */
ExampleSource jsonl_examples(const std::filesystem::path& path, int64_t batch, uint64_t seed);

}  // namespace diptych
