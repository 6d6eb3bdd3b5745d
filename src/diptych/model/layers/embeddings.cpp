#include "diptych/model/layers/embeddings.h"

#include <cmath>

namespace diptych {

namespace {

constexpr double kLongestPeriod = 10000;

/** kLongestPeriod^(-j / count) for j < count, float64. */
Tensor frequencies(int64_t count, const at::Device& device) {
  const Tensor exponents = at::arange(count, at::TensorOptions().dtype(at::kDouble).device(device)).div(count);
  return exponents.mul(-std::log(kLongestPeriod)).exp();
}

}  // namespace

Tensor sincos_table(int64_t dim, int64_t side) {
  TORCH_CHECK(dim % 4 == 0, "sincos_table: width ", dim, " is no multiple of 4");
  const Tensor angles = at::outer(at::arange(side, at::kDouble), frequencies(dim / 4, at::kCPU));
  const Tensor line = at::cat({angles.sin(), angles.cos()}, 1);  // [side, dim / 2]
  const Tensor columns = line.unsqueeze(0).expand({side, side, dim / 2});
  const Tensor rows = line.unsqueeze(1).expand({side, side, dim / 2});
  return at::cat({columns, rows}, 2).reshape({side * side, dim}).to(at::kFloat);
}

Tensor time_sinusoid(const Tensor& times, int64_t dim) {
  const at::ScalarType type = times.scalar_type() == at::kDouble ? at::kDouble : at::kFloat;
  const Tensor angles = at::outer(times.to(type), frequencies(dim / 2, times.device()).to(type));
  return at::cat({angles.cos(), angles.sin()}, 1);
}

}  // namespace diptych
