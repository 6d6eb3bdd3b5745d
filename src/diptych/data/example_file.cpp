#include "diptych/data/example_file.h"

#include <cassert>
#include <memory>
#include <mutex>
#include <nlohmann/json.hpp>
#include <numeric>
#include <set>

#include "diptych/base/error.h"
#include "diptych/base/nearest_name.h"
#include "diptych/base/rng.h"
#include "diptych/base/text_format.h"
#include "diptych/data/data_lines.h"

namespace diptych {

namespace fs = std::filesystem;
using nlohmann::json;

namespace {

const std::set<std::string>& known_keys() {
  static const std::set<std::string> keys = {"prompt", "instruction", "thinking", "image", "sources"};
  return keys;
}

std::vector<fs::path> read_sources(const std::string& where, const json& value, const fs::path& folder) {
  if (!value.is_array())
    throw Error(ExitCode::data, {where, "a list of paths for 'sources'", cat("a JSON ", value.type_name()), ""});
  std::vector<fs::path> sources;
  for (const json& item : value) sources.push_back(folder / text_field(where, {{"sources", item}}, "sources"));
  return sources;
}

/** The order of the current epoch, kept until another epoch is asked for. */
class EpochOrder {
 public:
  EpochOrder(size_t size, uint64_t seed) : seed_(seed), order_(size) {}

  /** Which record is number `position` of the epoch. */
  size_t at(uint64_t epoch, size_t position) {
    const std::lock_guard lock(mutex_);
    if (epoch_ != epoch) shuffle(epoch);
    return order_[position];
  }

 private:
  void shuffle(uint64_t epoch) {
    std::iota(order_.begin(), order_.end(), size_t{0});
    Stream stream({.seed = seed_, .purpose = Purpose::data, .step = epoch});
    for (size_t left = order_.size(); left > 1; --left) std::swap(order_[left - 1], order_[stream.below(left)]);
    epoch_ = epoch;
  }

  uint64_t seed_;
  std::mutex mutex_;
  std::optional<uint64_t> epoch_;
  std::vector<size_t> order_;
};

}  // namespace

bool has_example_keys(const json& object) {
  for (const std::string& key : known_keys())
    if (key != "prompt" && object.contains(key)) return true;
  return false;
}

ExampleRecord parse_example_record(const std::string& where, const json& object, const fs::path& folder) {
  for (const auto& [key, value] : object.items())
    if (!known_keys().contains(key))
      throw Error(ExitCode::data, {where, cat("one of the keys ", join(known_keys(), ", ")), cat("'", key, "'"),
                                   did_you_mean(key, known_keys())});
  const bool is_instruction = object.contains("instruction");
  if (object.contains("prompt") == is_instruction)
    throw Error(ExitCode::data,
                {where, "a 'prompt', or an 'instruction' in its place", is_instruction ? "both" : "neither", ""});
  ExampleRecord record;
  record.prompt = text_field(where, object, is_instruction ? "instruction" : "prompt");
  if (object.contains("thinking")) record.thinking = text_field(where, object, "thinking");
  if (object.contains("image")) record.image = folder / text_field(where, object, "image");
  if (object.contains("sources")) record.sources = read_sources(where, object["sources"], folder);
  if (!record.thinking && !record.image)
    throw Error(ExitCode::data, {where, "'thinking', 'image' or both", "neither",
                                 "an example without a target teaches nothing; prompts for RL go into a prompt file"});
  return record;
}

void check_image_exists(const std::string& where, const fs::path& image) {
  std::error_code unreachable;  // such as a name that is too long
  if (fs::is_regular_file(image, unreachable)) return;
  throw Error(ExitCode::data, {where, "an image file", cat("no file ", image.string()),
                               "relative paths start at the folder of the JSON lines file"});
}

std::vector<ExampleRecord> read_example_records(const fs::path& path) {
  std::vector<ExampleRecord> records;
  const LineCounts counts = visit_data_lines(path, [&](const std::string& where, std::string_view text) {
    records.push_back(parse_example_record(where, parse_object(where, text), path.parent_path()));
    const ExampleRecord& record = records.back();
    for (const fs::path& source : record.sources) check_image_exists(where, source);
    if (record.image) check_image_exists(where, *record.image);
  });
  log_skipped_lines(path, counts);
  if (records.empty()) throw Error(ExitCode::data, {path.string(), "one example a line", "an empty file", ""});
  return records;
}

SupervisedExample load_example(const ExampleRecord& record) {
  SupervisedExample example{.prompt = record.prompt, .thinking = record.thinking, .sources = {}, .image = {}};
  for (const fs::path& source : record.sources) example.sources.push_back(read_image(source));
  if (record.image) example.image = read_image(*record.image);
  return example;
}

ExampleSource jsonl_examples(const fs::path& path, int64_t batch, uint64_t seed) {
  assert(batch > 0);
  const auto records = std::make_shared<const std::vector<ExampleRecord>>(read_example_records(path));
  const auto order = std::make_shared<EpochOrder>(records->size(), seed);
  return [records, order, batch = static_cast<uint64_t>(batch)](uint64_t step, uint64_t index) {
    assert(index < batch);
    const uint64_t draw = step * batch + index;
    return load_example(records->at(order->at(draw / records->size(), draw % records->size())));
  };
}

}  // namespace diptych
