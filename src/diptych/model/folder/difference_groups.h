#pragma once
// Differences of many layers in few lines.

#include "diptych/model/folder/weight_differences.h"

namespace diptych {

/** Differences of one kind, whose names differ in the number of the layer alone and which agree in all else. */
struct DifferenceGroup {
  WeightDifference
      first;          // its name has the layers in braces: "language_model.model.layers.{0-3,7}.mlp.up_proj.weight"
  int64_t count = 0;  // tensors
};

/** Every difference is in one group. Groups are sorted by kind, then in the order of their first differences. */
std::vector<DifferenceGroup> group_differences(const std::vector<WeightDifference>& differences);

}  // namespace diptych
