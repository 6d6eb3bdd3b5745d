#include "diptych/model/folder/weight_files.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>

#include "diptych/base/error.h"
#include "diptych/base/log.h"
#include "diptych/base/text_format.h"
#include "diptych/io/files.h"
#include "diptych/io/json.h"

namespace diptych {

namespace fs = std::filesystem;

namespace {

constexpr std::array<const char*, 4> kTransformerFiles = {"ema.safetensors", "ema.safetensors.index.json",
                                                          "model.safetensors", "model.safetensors.index.json"};
constexpr const char* kAutoencoderFile = "ae.safetensors";
constexpr const char* kEmbedding = "language_model.model.embed_tokens.weight";
constexpr const char* kHead = "language_model.lm_head.weight";
constexpr size_t kMostListedFiles = 12;

bool is_index(const fs::path& file) {
  return file.extension() == ".json";
}

bool holds_weights(const fs::path& file) {
  static const std::set<std::string> kEndings = {".safetensors", ".bin", ".ckpt", ".gguf", ".h5", ".pt", ".pth"};
  return kEndings.contains(file.extension().string()) || file.string().ends_with(".safetensors.index.json");
}

/** The weight files of a folder and of those in it, in whatever form: "none", or their names. */
std::string files_there(const fs::path& folder) {
  std::vector<std::string> names;
  std::error_code unreadable;
  for (auto entry = fs::recursive_directory_iterator(folder, unreadable); !unreadable && entry != fs::end(entry);
       entry.increment(unreadable)) {
    if (entry.depth() > 0) entry.disable_recursion_pending();
    if (holds_weights(entry->path().filename())) names.push_back(entry->path().lexically_relative(folder).string());
  }
  if (names.empty()) return "no file of weights";
  std::sort(names.begin(), names.end());
  if (names.size() <= kMostListedFiles) return join(names, ", ");
  const size_t left_out = names.size() - kMostListedFiles;
  names.resize(kMostListedFiles);
  return cat(join(names, ", "), " and ", left_out, " more");
}

/** The files that an index lists, without repetition. */
std::vector<fs::path> shards_of(const fs::path& index) {
  const auto fail = [&](const std::string& got) {
    throw Error(ExitCode::model,
                {index.string(), "an object \"weight_map\" of tensor to file beside the index", got, ""});
  };
  JsonFault fault;
  const auto parsed = parse_json(read_file(index), &fault);
  if (!parsed) fail(fault.message);
  const auto map = parsed->is_object() ? parsed->find("weight_map") : parsed->end();
  if (!parsed->is_object() || map == parsed->end() || !map->is_object() || map->empty()) fail("none");
  std::set<std::string> names;
  for (const auto& [tensor, file] : map->items()) {
    const std::string name = file.is_string() ? file.get<std::string>() : "";
    if (!name.ends_with(".safetensors") || fs::path(name).filename() != name)
      fail(cat("'", tensor, "': ", file.dump()));
    names.insert(name);
  }
  std::vector<fs::path> files;
  for (const std::string& name : names) {
    files.push_back(index.parent_path() / name);
    if (!fs::exists(files.back()))
      throw Error(ExitCode::model,
                  {files.back().string(), cat("a file that ", index.filename().string(), " lists"),
                   cat("no such file, but ", files_there(index.parent_path())), "copy or download it again"});
  }
  return files;
}

std::vector<fs::path> files_of(const fs::path& file) {
  return is_index(file) ? shards_of(file) : std::vector<fs::path>{file};
}

std::optional<fs::path> find_transformer_file(const fs::path& folder) {
  for (const char* name : kTransformerFiles)
    if (fs::exists(folder / name)) return folder / name;
  return std::nullopt;
}

fs::path transformer_file(const fs::path& folder) {
  if (const auto file = find_transformer_file(folder)) return *file;
  throw Error(ExitCode::model, {(folder / kTransformerFiles[0]).string(), cat("one of ", join(kTransformerFiles, ", ")),
                                files_there(folder), "an index lists its shards, which then may have any name"});
}

bool is_of_autoencoder(const std::string& tensor) {
  return tensor.starts_with("encoder.") || tensor.starts_with("decoder.");
}

}  // namespace

StoredWeights StoredWeights::open(const fs::path& file) {
  StoredWeights weights;
  weights.path_ = file;
  for (const fs::path& part : files_of(file)) {
    weights.files_.push_back(SafetensorsFile::open(part));
    for (const auto& [name, tensor] : weights.files_.back().tensors())
      if (!weights.tensors_.emplace(name, tensor).second)
        throw Error(ExitCode::model, {part.string(), "each tensor in one shard only", cat("'", name, "' once more"),
                                      "the shards do not belong to one set"});
  }
  return weights;
}

std::vector<std::string> StoredWeights::names_in_file_order() const {
  std::vector<std::string> names;
  for (const SafetensorsFile& file : files_)
    for (std::string& name : file.names_in_file_order())
      if (tensors_.contains(name)) names.push_back(std::move(name));
  const bool is_tied = tensors_.contains(kHead) && std::find(names.begin(), names.end(), kHead) == names.end();
  if (is_tied) names.push_back(kHead);
  return names;
}

void StoredWeights::keep_autoencoder(bool kept) {
  std::erase_if(tensors_, [&](const auto& entry) { return is_of_autoencoder(entry.first) != kept; });
}

void StoredWeights::tie_head(const ModelConfig& config) {
  const auto embedding = tensors_.find(kEmbedding);
  if (!config.tied_head || embedding == tensors_.end()) return;
  const auto [head, is_new] = tensors_.emplace(kHead, embedding->second);
  if (is_new) {
    log_info(cat(path_.string(), ": the text head is the word embedding (tie_word_embeddings is true)"));
    return;
  }
  const std::span<const std::byte> own = head->second.bytes, shared = embedding->second.bytes;
  const bool is_same = own.size() == shared.size() && std::memcmp(own.data(), shared.data(), own.size()) == 0;
  if (is_same && head->second.dtype == embedding->second.dtype) return;
  throw Error(ExitCode::model,
              {cat(path_.string(), ": ", kHead), "no text head but the word embedding (tie_word_embeddings is true)",
               cat("one that differs from ", kEmbedding),
               "set tie_word_embeddings to false in llm_config.json if the head of the file is meant"});
}

StoredWeights open_transformer_weights(const fs::path& folder) {
  const fs::path file = transformer_file(folder);
  if (file.filename() != kTransformerFiles[0])
    log_info(
        cat(folder.string(), ": no ", kTransformerFiles[0], "; the weights are those of ", file.filename().string()));
  StoredWeights weights = StoredWeights::open(file);
  if (!fs::exists(folder / kAutoencoderFile) || is_index(file)) weights.keep_autoencoder(false);
  return weights;
}

StoredWeights open_autoencoder_weights(const fs::path& folder) {
  if (fs::exists(folder / kAutoencoderFile)) return StoredWeights::open(folder / kAutoencoderFile);
  StoredWeights weights = StoredWeights::open(transformer_file(folder));
  weights.keep_autoencoder(true);
  if (weights.tensors().empty())
    throw Error(ExitCode::model, {(folder / kAutoencoderFile).string(),
                                  "the autoencoder's weights, in this file or beside the transformer's",
                                  files_there(folder), "BAGEL's folders hold ae.safetensors"});
  return weights;
}

std::vector<fs::path> weight_files(const fs::path& folder) {
  std::set<fs::path> files;
  if (const auto transformer = find_transformer_file(folder)) {
    files.insert(*transformer);
    for (const fs::path& file : files_of(*transformer)) files.insert(file);
  }
  if (fs::exists(folder / kAutoencoderFile)) files.insert(folder / kAutoencoderFile);
  return {files.begin(), files.end()};
}

}  // namespace diptych
