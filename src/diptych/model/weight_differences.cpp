#include "diptych/tensor/torch.h"

#include "diptych/model/weight_differences.h"

#include <set>

#include "diptych/base/text_format.h"
#include "diptych/tensor/load.h"

namespace diptych {

namespace {

bool fits(const StoredTensor& stored, const ParameterSlot& slot) {
  return slot.tensor->sizes() == at::IntArrayRef(stored.shape) || is_convolutional_patch(stored.shape, slot);
}

}  // namespace

bool is_convolutional_patch(at::IntArrayRef stored, const ParameterSlot& slot) {
  const at::IntArrayRef expected = slot.tensor->sizes();
  return stored.size() == 4 && slot.name.ends_with("patch_embedding.weight") && stored[0] == expected[0] &&
         stored[1] == 3 && stored[2] == stored[3] && 3 * stored[2] * stored[3] == expected[1];
}

std::vector<WeightDifference> weight_differences(const SafetensorsFile& file, const std::vector<ParameterSlot>& slots) {
  std::vector<WeightDifference> differences;
  std::set<std::string> known;
  for (const ParameterSlot& slot : slots) {
    known.insert(slot.name);
    const std::vector<int64_t> expected = slot.tensor->sizes().vec();
    const auto found = file.tensors().find(slot.name);
    if (found == file.tensors().end()) {
      differences.push_back({DifferenceKind::missing, slot.name, expected, {}, ""});
      continue;
    }
    const StoredTensor& stored = found->second;
    if (!fits(stored, slot)) {
      differences.push_back({DifferenceKind::misshapen, slot.name, expected, stored.shape, stored.dtype});
    } else if (!scalar_type_of(stored.dtype)) {
      differences.push_back({DifferenceKind::unreadable, slot.name, expected, stored.shape, stored.dtype});
    }
  }
  for (const auto& [name, stored] : file.tensors())
    if (!known.contains(name)) differences.push_back({DifferenceKind::extra, name, {}, stored.shape, stored.dtype});
  return differences;
}

std::string shape_text(at::IntArrayRef shape) {
  return "[" + join(shape, ", ") + "]";
}

std::string difference_text(const WeightDifference& difference) {
  switch (difference.kind) {
    case DifferenceKind::missing:
      return cat("missing ", difference.name, ' ', shape_text(difference.expected));
    case DifferenceKind::misshapen:
      return cat("misshapen ", difference.name, ": expected ", shape_text(difference.expected), ", got ",
                 shape_text(difference.stored));
    case DifferenceKind::unreadable:
      return cat("unreadable ", difference.name, ": dtype ", difference.dtype);
    default:
      return cat("extra ", difference.name, ' ', shape_text(difference.stored));
  }
}

}  // namespace diptych
