#pragma once
// Weights of the fixture model in the slots of one component.

#include <gtest/gtest.h>

#include "diptych/tensor/load.h"
#include "diptych/tensor/named_tensor.h"
#include "support/fixtures.h"

namespace diptych {

inline std::filesystem::path bagel_fixture(const std::string& name) {
  return fixture_folder() / "bagel_tiny" / name;
}

inline void fill_slots(const std::vector<ParameterSlot>& slots, const std::map<std::string, Tensor>& stored) {
  for (const ParameterSlot& slot : slots) {
    ASSERT_TRUE(stored.contains(slot.name)) << slot.name;
    const Tensor& tensor = stored.at(slot.name);
    ASSERT_EQ(tensor.sizes(), slot.tensor->sizes()) << slot.name;
    *slot.tensor = tensor.to(at::kFloat);
  }
}

}  // namespace diptych
