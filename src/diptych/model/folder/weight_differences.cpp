#include "diptych/tensor/torch.h"

#include "diptych/model/folder/weight_differences.h"

#include <set>

#include "diptych/base/log.h"
#include "diptych/base/text_format.h"
#include "diptych/model/folder/difference_groups.h"
#include "diptych/tensor/load.h"

namespace diptych {

namespace {

bool fits(const StoredTensor& stored, const ParameterSlot& slot) {
  return slot.tensor->sizes() == at::IntArrayRef(stored.shape) || is_convolutional_patch(stored.shape, slot);
}

/** What arithmetic on weights starts from; integers would be read as weights many times too large. */
bool is_weight_dtype(const std::string& dtype) {
  const std::optional<at::ScalarType> type = scalar_type_of(dtype);
  return type && at::isFloatingType(*type);
}

std::set<std::string> names_of(const std::vector<ParameterSlot>& slots) {
  std::set<std::string> names;
  for (const ParameterSlot& slot : slots) names.insert(slot.name);
  return names;
}

/** Buffers that libraries store beside weights. */
bool is_recomputable(const std::string& name, const StoredTensor& tensor) {
  const auto last = name.substr(name.rfind('.') + 1);
  static const std::set<std::string> kBuffers = {"inv_freq",    "original_inv_freq", "freqs_cis",
                                                 "cos_cached",  "sin_cached",        "position_ids",
                                                 "masked_bias", "causal_mask",       "num_batches_tracked"};
  const bool is_mask = last == "bias" && tensor.shape.size() == 4;  // GPT-2's: [1, 1, context, context]
  return kBuffers.contains(last) || is_mask;
}

}  // namespace

bool is_convolutional_patch(at::IntArrayRef stored, const ParameterSlot& slot) {
  const at::IntArrayRef expected = slot.tensor->sizes();
  return stored.size() == 4 && slot.name.ends_with("patch_embedding.weight") && stored[0] == expected[0] &&
         stored[1] == 3 && stored[2] == stored[3] && 3 * stored[2] * stored[3] == expected[1];
}

std::vector<WeightDifference> weight_differences(const std::map<std::string, StoredTensor>& stored,
                                                 const std::vector<ParameterSlot>& slots) {
  std::vector<WeightDifference> differences;
  for (const ParameterSlot& slot : slots) {
    const std::vector<int64_t> expected = slot.tensor->sizes().vec();
    const auto found = stored.find(slot.name);
    if (found == stored.end()) {
      differences.push_back({DifferenceKind::missing, slot.name, expected, {}, ""});
      continue;
    }
    const StoredTensor& tensor = found->second;
    if (!is_weight_dtype(tensor.dtype)) {
      differences.push_back({DifferenceKind::unreadable, slot.name, expected, tensor.shape, tensor.dtype});
    } else if (!fits(tensor, slot)) {
      differences.push_back({DifferenceKind::misshapen, slot.name, expected, tensor.shape, tensor.dtype});
    }
  }
  const std::set<std::string> known = names_of(slots);
  for (const auto& [name, tensor] : stored)
    if (!known.contains(name) && !is_recomputable(name, tensor))
      differences.push_back({DifferenceKind::extra, name, {}, tensor.shape, tensor.dtype});
  return differences;
}

std::vector<std::string> skipped_buffers(const std::map<std::string, StoredTensor>& stored,
                                         const std::vector<ParameterSlot>& slots) {
  const std::set<std::string> known = names_of(slots);
  std::vector<std::string> skipped;
  for (const auto& [name, tensor] : stored)
    if (!known.contains(name) && is_recomputable(name, tensor)) skipped.push_back(name);
  return skipped;
}

void warn_of_skipped(const std::filesystem::path& file, const std::vector<std::string>& buffers) {
  if (buffers.empty()) return;
  std::vector<WeightDifference> extra;
  for (const std::string& name : buffers) extra.push_back({DifferenceKind::extra, name, {}, {}, ""});
  std::vector<std::string> named;
  for (const DifferenceGroup& group : group_differences(extra)) named.push_back(group.first.name);
  log_warning(cat(file.string(), ": skipping buffers that follow from the configuration: ", join(named, ", ")));
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
      return cat("unreadable ", difference.name, ": dtype ", difference.dtype, " is not supported");
    default:
      return cat("extra ", difference.name, ' ', shape_text(difference.stored));
  }
}

}  // namespace diptych
