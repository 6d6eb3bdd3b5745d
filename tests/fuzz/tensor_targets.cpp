#include "diptych/tensor/torch.h"

#include "diptych/io/files.h"
#include "diptych/model/folder/weight_files.h"
#include "diptych/tensor/load.h"
#include "fuzz/target.h"

namespace diptych::fuzz {

namespace {

constexpr size_t kLengthBytes = 8;

void read_tensors(std::span<const std::byte> bytes) {
  const std::map<std::string, Tensor> tensors = load_tensors(scratch_file("input.safetensors", bytes));
  for (const auto& [name, tensor] : tensors) {
    require(tensor.nbytes() <= bytes.size(), "a tensor larger than its file");
    static_cast<void>(tensor.to(at::kDouble).sum().item<double>());
  }
}

/** The length in front becomes that of the JSON object behind it. */
void mend_length(Bytes& bytes) {
  int depth = 0;
  size_t end = kLengthBytes;
  for (; end < bytes.size(); ++end) {
    if (bytes[end] == std::byte{'{'}) ++depth;
    if (bytes[end] == std::byte{'}'} && --depth <= 0) break;
  }
  if (end >= bytes.size()) return;
  const uint64_t length = end + 1 - kLengthBytes;
  for (size_t i = 0; i < kLengthBytes; ++i) bytes[i] = static_cast<std::byte>(length >> (8 * i));
}

/** Beside the shards that the corpus names. */
void read_index(std::span<const std::byte> bytes) {
  static const bool made_shards = [] {
    for (const char* name : {"a", "b"})
      save_tensors(scratch_file(std::string("shards/") + name + ".safetensors", ""), {{name, at::ones({2})}});
    return true;
  }();
  static_cast<void>(made_shards);
  const StoredWeights weights = StoredWeights::open(scratch_file("shards/model.safetensors.index.json", bytes));
  require(!weights.tensors().empty() && weights.tensors().size() <= 2, "tensors that no shard holds");
}

/** As llm_config.json of the shipped model. */
void read_llm_config(std::span<const std::byte> bytes) {
  const std::filesystem::path model = std::filesystem::path(DIPTYCH_SOURCE_DIR) / "assets/shapes_base";
  for (const char* name : {"config.json", "vit_config.json"})
    if (!std::filesystem::exists(scratch_folder() / "config" / name))
      scratch_file(std::string("config/") + name, read_file(model / name));
  const ModelConfig config = load_model_config(scratch_file("config/llm_config.json", bytes).parent_path());
  require(config.head_dim > 0 && config.heads % config.kv_heads == 0, "heads that do not divide");
  require(config.rope_theta > 1 && config.rms_eps > 0, "numbers out of range");
}

}  // namespace

std::vector<Target> tensor_targets() {
  return {{.name = "weight_index",
           .read = read_index,
           .words = {"\"weight_map\"", "\"metadata\"", "\"a.safetensors\"", "\"b.safetensors\"", "../", ".", "null"}},
          {.name = "llm_config",
           .read = read_llm_config,
           .words = {"\"rope_theta\"", "\"rope_parameters\"", "\"rope_scaling\"", "\"rope_type\"", "\"default\"",
                     "\"text_config\"", "\"layer_types\"", "\"full_attention\"", "\"head_dim\"", "null", "1e400", "-1",
                     "[]", "{}"}},
          {.name = "safetensors",
           .read = read_tensors,
           .words = {"\"dtype\":\"F32\"", "\"dtype\":\"BF16\"", "\"dtype\":\"BOOL\"", "\"dtype\":\"I64\"",
                     "\"dtype\":\"F8_E4M3\"", "\"shape\":[]", "\"shape\":[0]", "\"data_offsets\":[0,0]", "F64", "F16",
                     "I32", "U8", "__metadata__", "1,", ",0"},
           .mend = mend_length}};
}

}  // namespace diptych::fuzz
