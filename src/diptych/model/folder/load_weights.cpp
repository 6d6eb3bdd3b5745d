#include "diptych/tensor/torch.h"

#include "diptych/model/folder/load_weights.h"

#include <algorithm>
#include <cmath>

#include "diptych/base/error.h"
#include "diptych/base/log.h"
#include "diptych/base/text_format.h"
#include "diptych/model/folder/weight_differences.h"
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
int64_t stored_side(const StoredWeights& weights, const std::string& table, const std::string& key, int64_t stated) {
  const auto found = weights.tensors().find(table);
  if (found == weights.tensors().end() || found->second.shape.empty()) return stated;  // weight_differences will tell
  const int64_t rows = found->second.shape[0];
  const auto side = static_cast<int64_t>(std::llround(std::sqrt(static_cast<double>(rows))));
  if (rows == 0 || side * side != rows)
    throw Error(ExitCode::model, {cat(weights.path().string(), ": tensor '", table, "'"),
                                  "a square number of rows, a row for each place", cat(rows, " rows"),
                                  "the file is damaged, or belongs to another kind of model"});
  if (side != stated)
    log_warning(cat(weights.path().parent_path().string(), ": config.json says ", key, " ", stated, ", but ", table,
                    " has rows for ", side, " x ", side, " places; taking ", side));
  return side;
}

/** `pixels`: per side of a place; `side`: places per side of the table that images of this transform take rows of. */
void require_fit(const std::filesystem::path& config_file, const std::string& key,
                 const ImageTransformConfig& transform, int64_t pixels, int64_t side) {
  const auto fail = [&](const std::string& expected, const std::string& got) {
    throw Error(ExitCode::model, {cat(config_file.string(), ": ", key), expected, got,
                                  "the three numbers of a transform are max_long, min_short and stride; without this "
                                  "key they are BAGEL-7B's"});
  };
  if (transform.stride % pixels != 0)
    fail(cat("a stride that is a multiple of ", pixels, " pixels, the side of a patch"),
         cat("stride ", transform.stride));
  const double strides = static_cast<double>(transform.max_long) / static_cast<double>(transform.stride);
  const int64_t longest = std::max<int64_t>(static_cast<int64_t>(std::nearbyint(strides)), 1) * transform.stride;
  if (longest / pixels > side)
    fail(cat("images of at most ", side * pixels, " pixels a side, as the position table has rows for ", side, " x ",
             side, " patches of ", pixels),
         cat("max_long ", transform.max_long));
}

/** What to look at first. */
std::string hint_at(const std::vector<WeightDifference>& differences) {
  const auto is_unreadable = [](const WeightDifference& found) { return found.kind == DifferenceKind::unreadable; };
  if (std::any_of(differences.begin(), differences.end(), is_unreadable))
    return "weights are read from F32, BF16, F16 and F64: convert the others";
  if (differences.size() == 1 && differences[0].kind == DifferenceKind::missing &&
      differences[0].name.ends_with("lm_head.weight"))
    return "where the text head is the word embedding, llm_config.json must say \"tie_word_embeddings\": true";
  return "do config.json, llm_config.json and vit_config.json belong to this file?";
}

}  // namespace

ModelConfig with_stored_tables(const ModelConfig& stated, const StoredWeights& transformer) {
  ModelConfig config = stated;
  config.max_latent_size =
      stored_side(transformer, "latent_pos_embed.pos_embed", "max_latent_size", stated.max_latent_size);
  if (stated.visual_und)
    config.vit_max_patches_per_side = stored_side(transformer, "vit_pos_embed.pos_embed", "vit_max_num_patch_per_side",
                                                  stated.vit_max_patches_per_side);
  const std::filesystem::path file = transformer.path().parent_path() / "config.json";
  require_fit(file, "transforms.vae", config.vae_transform, latent_token_pixels(config), config.max_latent_size);
  if (stated.visual_und)
    require_fit(file, "transforms.vit", config.vit_transform, config.vit.patch, config.vit_max_patches_per_side);
  return config;
}

void require_weights(const StoredWeights& stored, const std::vector<ParameterSlot>& slots) {
  const std::vector<WeightDifference> differences = weight_differences(stored.tensors(), slots);
  if (!differences.empty())
    throw Error(ExitCode::model, {stored.path().string(), cat(slots.size(), " tensors as the config files say"),
                                  listed(differences), hint_at(differences)});
  warn_of_skipped(stored.path(), skipped_buffers(stored.tensors(), slots));
}

void read_weights(const StoredWeights& stored, const std::vector<ParameterSlot>& slots, at::ScalarType dtype,
                  at::Device device) {
  std::map<std::string, const ParameterSlot*> by_name;
  for (const ParameterSlot& slot : slots) by_name[slot.name] = &slot;
  for (const std::string& name : stored.names_in_file_order()) {
    const auto slot = by_name.find(name);
    if (slot == by_name.end()) continue;  // a buffer
    const StoredTensor& tensor = stored.tensors().at(name);
    *slot->second->tensor = read_weight(tensor, *slot->second, dtype, device);
    stored.release(tensor);
  }
}

void load_slots(const std::filesystem::path& file, const std::vector<ParameterSlot>& slots, at::ScalarType dtype,
                at::Device device) {
  const StoredWeights stored = StoredWeights::open(file);
  require_weights(stored, slots);
  read_weights(stored, slots, dtype, device);
}

}  // namespace diptych
