#include "diptych/parity/gradients.h"

#include <cmath>

namespace diptych {

TrainableScope::TrainableScope(Bagel& model) {
  for (const ParameterSlot& slot : transformer_slots(model)) {
    if (slot.name.ends_with("_pos_embed.pos_embed")) continue;
    slot.tensor->mutable_grad().reset();
    slot.tensor->set_requires_grad(true);
    slots_.push_back(slot);
  }
}

TrainableScope::~TrainableScope() {
  reset();
  for (const ParameterSlot& slot : slots_) slot.tensor->set_requires_grad(false);
}

void TrainableScope::reset() const {
  for (const ParameterSlot& slot : slots_) slot.tensor->mutable_grad().reset();
}

double gradient_norm(const std::vector<ParameterSlot>& slots) {
  double sum = 0;
  for (const ParameterSlot& slot : slots)
    if (slot.tensor->grad().defined()) sum += slot.tensor->grad().to(at::kDouble).square().sum().item<double>();
  return std::sqrt(sum);
}

}  // namespace diptych
