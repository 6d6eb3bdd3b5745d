#include "diptych/tensor/flat.h"

namespace diptych {

Tensor flattened(const std::vector<Tensor>& tensors) {
  std::vector<Tensor> parts;
  for (const Tensor& tensor : tensors) parts.push_back(tensor.reshape(-1));
  return at::cat(parts);
}

std::vector<Tensor> views_of_flat(const Tensor& flat, const std::vector<Tensor>& tensors) {
  std::vector<Tensor> views;
  int64_t begin = 0;
  for (const Tensor& tensor : tensors) {
    views.push_back(flat.narrow(0, begin, tensor.numel()).view(tensor.sizes()));
    begin += tensor.numel();
  }
  return views;
}

}  // namespace diptych
