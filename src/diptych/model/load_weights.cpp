#include "diptych/tensor/torch.h"

#include "diptych/model/load_weights.h"

#include <algorithm>
#include <cmath>

#include "diptych/base/error.h"
#include "diptych/base/log.h"
#include "diptych/base/text_format.h"
#include "diptych/model/weight_differences.h"
#include "diptych/tensor/load.h"

namespace diptych {

namespace {

constexpr size_t kMostListed = 30;

std::string listed(const std::vector<WeightDifference>& differences) {
  const size_t count = std::min(differences.size(), kMostListed);
  std::string list = cat(differences.size(), " differences");
  for (size_t i = 0; i < count; ++i) list += "\n    " + difference_text(differences[i]);
  if (count < differences.size()) list += cat("\n    and ", differences.size() - count, " more");
  return list;
}

Tensor read_weight(const StoredTensor& stored, const ParameterSlot& slot, at::ScalarType dtype, at::Device device) {
  const Tensor tensor = to_tensor(stored, dtype, device);
  if (!is_convolutional_patch(tensor.sizes(), slot)) return tensor;
  // The model applies the patch embedding to (dy, dx, rgb) patches.
  return tensor.permute({0, 2, 3, 1}).reshape({tensor.size(0), -1});
}

/** The side of the square whose places are the rows of a table; `stated` is that of a key of config.json. */
int64_t stored_side(const SafetensorsFile& file, const std::string& table, const std::string& key, int64_t stated) {
  const auto found = file.tensors().find(table);
  if (found == file.tensors().end() || found->second.shape.empty()) return stated;  // weight_differences will tell
  const int64_t rows = found->second.shape[0];
  const auto side = static_cast<int64_t>(std::llround(std::sqrt(static_cast<double>(rows))));
  if (rows == 0 || side * side != rows)
    throw Error(ExitCode::model,
                {cat(file.path().string(), ": tensor '", table, "'"), "a square number of rows, a row for each place",
                 cat(rows, " rows"), "the file is damaged, or belongs to another kind of model"});
  if (side != stated)
    log_warning(cat(file.path().parent_path().string(), ": config.json says ", key, " ", stated, ", but ", table,
                    " has rows for ", side, " x ", side, " places; taking ", side));
  return side;
}

}  // namespace

ModelConfig with_stored_tables(const ModelConfig& stated, const SafetensorsFile& transformer) {
  ModelConfig config = stated;
  config.max_latent_size =
      stored_side(transformer, "latent_pos_embed.pos_embed", "max_latent_size", stated.max_latent_size);
  if (stated.visual_und)
    config.vit_max_patches_per_side = stored_side(transformer, "vit_pos_embed.pos_embed", "vit_max_num_patch_per_side",
                                                  stated.vit_max_patches_per_side);
  return config;
}

SafetensorsFile open_weights(const std::filesystem::path& file, const std::vector<ParameterSlot>& slots) {
  SafetensorsFile opened = SafetensorsFile::open(file);
  const std::vector<WeightDifference> differences = weight_differences(opened, slots);
  if (differences.empty()) return opened;
  throw Error(ExitCode::model,
              {file.string(), cat(slots.size(), " tensors as the config files say"), listed(differences),
               "do config.json, llm_config.json and vit_config.json belong to this file?"});
}

void read_weights(const SafetensorsFile& file, const std::vector<ParameterSlot>& slots, at::ScalarType dtype,
                  at::Device device) {
  std::map<std::string, const ParameterSlot*> by_name;
  for (const ParameterSlot& slot : slots) by_name[slot.name] = &slot;
  for (const std::string& name : file.names_in_file_order()) {
    const StoredTensor& stored = file.tensors().at(name);
    const ParameterSlot& slot = *by_name.at(name);
    *slot.tensor = read_weight(stored, slot, dtype, device);
    file.release(stored);
  }
}

void load_slots(const std::filesystem::path& file, const std::vector<ParameterSlot>& slots, at::ScalarType dtype,
                at::Device device) {
  read_weights(open_weights(file, slots), slots, dtype, device);
}

}  // namespace diptych
