#pragma once
// The one comparison of tensors in tests.

#include "diptych/tensor/torch.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <iomanip>
#include <sstream>

namespace diptych {

/** An element may be off by `normalised` times the root mean square of the expected tensor, plus `absolute`. */
struct Tolerance {
  double normalised = 0;
  double absolute = 0;
};

/** Place of a flat index in a contiguous tensor, as [i, j, ...]. */
inline std::string index_text(int64_t flat, at::IntArrayRef shape) {
  std::vector<int64_t> index(shape.size());
  for (size_t dim = shape.size(); dim-- > 0;) {
    index[dim] = flat % shape[dim];
    flat /= shape[dim];
  }
  std::ostringstream out;
  out << at::IntArrayRef(index);
  return out.str();
}

/** Success if `actual` equals `expected` within the tolerance. Checks, in this order: NaN and infinity, shape, dtype,
 *  worst element. Integers and booleans are compared like numbers. */
inline ::testing::AssertionResult close(const Tensor& actual, const Tensor& expected, Tolerance tolerance) {
  const auto failure = [] { return ::testing::AssertionFailure(); };
  if (!actual.defined() || !expected.defined()) return failure() << "undefined tensor";
  const Tensor a = actual.detach().cpu().to(at::kDouble).contiguous();
  const Tensor e = expected.detach().cpu().to(at::kDouble).contiguous();
  for (const auto& [name, values] : {std::pair{"actual", a}, std::pair{"expected", e}}) {
    const Tensor wrong = values.isfinite().logical_not().flatten().nonzero();
    if (wrong.numel() > 0) {
      return failure() << name << " has " << wrong.size(0) << " of " << values.numel()
                       << " values not finite, first at " << index_text(wrong[0].item<int64_t>(), values.sizes());
    }
  }
  if (a.sizes() != e.sizes()) return failure() << "shape " << a.sizes() << ", expected " << e.sizes();
  if (actual.scalar_type() != expected.scalar_type())
    return failure() << "dtype " << actual.scalar_type() << ", expected " << expected.scalar_type();
  if (a.numel() == 0) return ::testing::AssertionSuccess();
  const Tensor difference = (a - e).abs().flatten();
  const int64_t worst = difference.argmax().item<int64_t>();
  const double error = difference[worst].item<double>();
  const double scale = std::sqrt(e.square().mean().item<double>());
  if (error <= tolerance.absolute + tolerance.normalised * scale) return ::testing::AssertionSuccess();
  auto result = failure();
  result << std::setprecision(17) << "worst element " << index_text(worst, a.sizes()) << ": "
         << a.flatten()[worst].item<double>() << ", expected " << e.flatten()[worst].item<double>()
         << std::setprecision(3) << "; error " << error << ", normalised " << error / scale << " (allowed "
         << tolerance.normalised << " of " << scale << ", plus " << tolerance.absolute << ")";
  return result;
}

/** Success if all bits of shape, dtype and values agree. */
inline ::testing::AssertionResult same_bits(const Tensor& actual, const Tensor& expected) {
  if (actual.sizes() != expected.sizes() || actual.scalar_type() != expected.scalar_type())
    return ::testing::AssertionFailure() << actual.scalar_type() << " " << actual.sizes() << ", expected "
                                         << expected.scalar_type() << " " << expected.sizes();
  const Tensor a = actual.detach().cpu().contiguous();
  const Tensor e = expected.detach().cpu().contiguous();
  const auto* a_bytes = static_cast<const unsigned char*>(a.const_data_ptr());
  const auto* e_bytes = static_cast<const unsigned char*>(e.const_data_ptr());
  const size_t bytes = a.nbytes();
  const size_t place = std::mismatch(a_bytes, a_bytes + bytes, e_bytes).first - a_bytes;
  if (place == bytes) return ::testing::AssertionSuccess();
  const auto flat = static_cast<int64_t>(place / a.element_size());
  return ::testing::AssertionFailure() << "bits differ first at " << index_text(flat, a.sizes()) << ": "
                                       << a.flatten()[flat].item().toDouble() << ", expected "
                                       << e.flatten()[flat].item().toDouble();
}

}  // namespace diptych
