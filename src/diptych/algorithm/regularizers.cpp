#include "diptych/algorithm/regularizers.h"

#include "diptych/flow/sample_mean.h"

namespace diptych {

Tensor velocity_mse(const Tensor& v_new, const Tensor& v_ref) {
  TORCH_CHECK(v_new.sizes() == v_ref.sizes(), "velocity ", v_new.sizes(), ", reference ", v_ref.sizes());
  return mean_per_sample((v_new - v_ref).square());
}

Tensor latent_kl(const Tensor& mean_new, const Tensor& mean_ref, const Tensor& std) {
  TORCH_CHECK(mean_new.sizes() == mean_ref.sizes(), "mean ", mean_new.sizes(), ", reference ", mean_ref.sizes());
  const Tensor s = std.to(mean_new.options());
  TORCH_CHECK(s.dim() == 1 && s.size(0) == mean_new.size(0), "std ", s.sizes(), " of ", mean_new.size(0), " rows");
  return mean_per_sample((mean_new - mean_ref).square()) / (2 * s.square());
}

}  // namespace diptych
