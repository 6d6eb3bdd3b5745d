#pragma once
// Gradients of packs that are computed at the same time.

#include <mutex>

#include "diptych/tensor/torch.h"

namespace diptych {

/** Adds the gradients of the losses of packs 0, 1, ... to the parameters' grad(), in the order of the packs whichever
 * is ready first, so that the sum is the same bits for any number of threads. */
class GradientSum {
 public:
  /** `packs_at_once`: how many calls of add() may be under way; with 1 the packs come in order, and no second copy of
   * the gradients is made. */
  GradientSum(std::vector<Tensor> parameters, int64_t packs_at_once)
      : parameters_(std::move(parameters)), packs_at_once_(packs_at_once) {}

  /** Runs the backward pass of a pack, if its loss depends on any parameter: a pack of texts alone may not, where only
   * weights of images train. Safe from several threads. */
  void add(int64_t pack, const Tensor& loss);

 private:
  void add_gradients(const std::vector<Tensor>& gradients);

  std::vector<Tensor> parameters_;
  int64_t packs_at_once_;
  std::mutex mutex_;
  std::map<int64_t, std::vector<Tensor>> ready_;  // of packs behind one that is not
  int64_t next_ = 0;
};

}  // namespace diptych
