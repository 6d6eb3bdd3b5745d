#include "diptych/train/optimizer/gradient_sum.h"

#include "diptych/tensor/autograd.h"

namespace diptych {

void GradientSum::add(int64_t pack, const Tensor& loss) {
  if (packs_at_once_ <= 1) {
    if (loss.requires_grad()) loss.backward();
    return;
  }
  std::vector<Tensor> gradients(parameters_.size());
  if (loss.requires_grad())
    gradients = torch::autograd::grad({loss}, parameters_, /*grad_outputs=*/{}, /*retain_graph=*/false,
                                      /*create_graph=*/false, /*allow_unused=*/true);
  const std::lock_guard lock(mutex_);
  ready_[pack] = std::move(gradients);
  for (auto first = ready_.begin(); first != ready_.end() && first->first == next_; first = ready_.begin()) {
    add_gradients(first->second);
    ready_.erase(first);
    ++next_;
  }
}

void GradientSum::add_gradients(const std::vector<Tensor>& gradients) {
  const at::NoGradGuard no_grad;
  for (size_t i = 0; i < parameters_.size(); ++i) {
    if (!gradients[i].defined()) continue;
    Tensor& sum = parameters_[i].mutable_grad();
    // A copy: autograd may hand out one tensor as the gradient of two parameters.
    if (sum.defined())
      sum.add_(gradients[i]);
    else
      sum = gradients[i].clone(at::MemoryFormat::Contiguous);
  }
}

}  // namespace diptych
