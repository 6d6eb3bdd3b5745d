#pragma once
// Penalties that hold the image policy near the reference. Rows as in image_loss.h; the loss is the sum over rows of
// penalty times step weight.

#include "diptych/tensor/torch.h"

namespace diptych {

/** Velocity MSE: mean over elements of (v_new - v_ref)^2, [n, ...] -> [n], unweighted over t. (UniGRPO Eq. 8, with the
 *  mean that its weight 1.5e-5 implies.) */
Tensor velocity_mse(const Tensor& v_new, const Tensor& v_ref);

/** Exact KL of the two Gaussian transitions, averaged over elements: mean((mean_new - mean_ref)^2) / (2 std^2), [n].
 *  std: [n], of the injected noise, that is with the factor sqrt|dt|. (Flow-GRPO.) */
Tensor latent_kl(const Tensor& mean_new, const Tensor& mean_ref, const Tensor& std);

}  // namespace diptych
