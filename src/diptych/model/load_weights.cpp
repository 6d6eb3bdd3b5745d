#include "diptych/tensor/torch.h"

#include "diptych/model/load_weights.h"

#include <algorithm>

#include "diptych/base/error.h"
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

}  // namespace

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
