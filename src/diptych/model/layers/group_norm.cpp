#include "diptych/model/layers/group_norm.h"

#include <ATen/Parallel.h>

#include <cmath>

#include "diptych/model/layers/vector_clones.h"
#include "diptych/model/layers/vector_exponential.h"

namespace diptych {

namespace {

// Sums in float64: two passes over an image that lies in the cache anyway.
template <class T>
DIPTYCH_AVX2_CLONE void add_pixels(const T* x, int64_t pixels, int64_t channels, double* sums) {
  for (int64_t p = 0; p < pixels; ++p, x += channels)
    for (int64_t c = 0; c < channels; ++c) sums[c] += static_cast<double>(x[c]);
}

template <class T>
DIPTYCH_AVX2_CLONE void add_squares(const T* x, int64_t pixels, int64_t channels, const double* means, double* sums) {
  for (int64_t p = 0; p < pixels; ++p, x += channels) {
    for (int64_t c = 0; c < channels; ++c) {
      const double off = static_cast<double>(x[c]) - means[c];
      sums[c] += off * off;
    }
  }
}

template <class T>
DIPTYCH_AVX2_CLONE void scale_pixels(const T* x, int64_t pixels, int64_t channels, const T* scale, const T* shift,
                                     T* y) {
  for (int64_t p = 0; p < pixels; ++p, x += channels, y += channels)
    for (int64_t c = 0; c < channels; ++c) y[c] = x[c] * scale[c] + shift[c];
}

template <class T>
DIPTYCH_AVX2_CLONE void apply_silu(T* y, int64_t count) {
  for (int64_t i = 0; i < count; ++i) y[i] = y[i] / (T(1) + exponential(-y[i]));
}

// Means over each group, written to all its channels.
void group_means(std::vector<double>& sums, int64_t groups, double pixels) {
  const auto width = sums.size() / static_cast<size_t>(groups);
  for (size_t begin = 0; begin < sums.size(); begin += width) {
    double total = 0;
    for (size_t c = begin; c < begin + width; ++c) total += sums[c];
    for (size_t c = begin; c < begin + width; ++c) sums[c] = total / (pixels * static_cast<double>(width));
  }
}

template <class T>
void normalise_image(const T* x, int64_t pixels, int64_t channels, int64_t groups, const T* weight, const T* bias,
                     double eps, bool with_silu, T* y) {
  std::vector<double> means(static_cast<size_t>(channels)), variances(static_cast<size_t>(channels));
  add_pixels(x, pixels, channels, means.data());
  group_means(means, groups, static_cast<double>(pixels));
  add_squares(x, pixels, channels, means.data(), variances.data());
  group_means(variances, groups, static_cast<double>(pixels));
  std::vector<T> scale(static_cast<size_t>(channels)), shift(static_cast<size_t>(channels));
  for (size_t c = 0; c < scale.size(); ++c) {
    const double factor = static_cast<double>(weight[c]) / std::sqrt(variances[c] + eps);
    scale[c] = static_cast<T>(factor);
    shift[c] = static_cast<T>(static_cast<double>(bias[c]) - means[c] * factor);
  }
  scale_pixels(x, pixels, channels, scale.data(), shift.data(), y);
  if (with_silu) apply_silu(y, pixels * channels);
}

template <class T>
Tensor normalised(const Tensor& images, int64_t groups, const Tensor& weight, const Tensor& bias, double eps,
                  bool with_silu) {
  const Tensor x = images.contiguous(at::MemoryFormat::ChannelsLast);
  Tensor y = at::empty_like(x);
  const int64_t channels = x.size(1), pixels = x.size(2) * x.size(3);
  const T* from = x.const_data_ptr<T>();
  const T* w = weight.const_data_ptr<T>();
  const T* b = bias.const_data_ptr<T>();
  T* to = y.mutable_data_ptr<T>();
  at::parallel_for(0, x.size(0), 1, [&](int64_t begin, int64_t end) {
    for (int64_t n = begin; n < end; ++n) {
      const int64_t offset = n * pixels * channels;
      normalise_image(from + offset, pixels, channels, groups, w, b, eps, with_silu, to + offset);
    }
  });
  return y;
}

}  // namespace

Tensor group_norm(const Tensor& images, int64_t groups, const Tensor& weight, const Tensor& bias, double eps,
                  bool with_silu) {
  const at::ScalarType type = images.scalar_type();
  const bool in_loops = images.is_cpu() && !at::GradMode::is_enabled() && weight.scalar_type() == type &&
                        (type == at::kFloat || type == at::kDouble);
  if (in_loops && type == at::kFloat) return normalised<float>(images, groups, weight, bias, eps, with_silu);
  if (in_loops) return normalised<double>(images, groups, weight, bias, eps, with_silu);
  const Tensor normed = at::group_norm(images, groups, weight, bias, eps);
  return with_silu ? at::silu(normed) : normed;
}

}  // namespace diptych
