#pragma once
// Gradients switched on for the weights of a model, and off again.

#include "diptych/model/bagel/bagel.h"

namespace diptych {

/** The trainable slots, that is all but the two fixed position tables, require gradients while this object lives; their
 *  gradients are undefined before and after. */
class TrainableScope {
 public:
  explicit TrainableScope(Bagel& model);
  ~TrainableScope();
  TrainableScope(const TrainableScope&) = delete;
  TrainableScope& operator=(const TrainableScope&) = delete;

  const std::vector<ParameterSlot>& slots() const { return slots_; }

  /** Forgets the gradients. */
  void reset() const;

 private:
  std::vector<ParameterSlot> slots_;
};

/** Global L2 norm of the gradients of all slots, float64. */
double gradient_norm(const std::vector<ParameterSlot>& slots);

}  // namespace diptych
