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
struct ChannelFactors {
  std::vector<T> scale, shift;  // of each channel
};

template <class T>
DIPTYCH_AVX2_CLONE void scale_pixels(const T* x, int64_t pixels, int64_t channels, const ChannelFactors<T>& factors,
                                     T* y) {
  const T* scale = factors.scale.data();
  const T* shift = factors.shift.data();
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
void normalise_image(const T* x, int64_t pixels, int64_t channels, const GroupNormStep& step, T* y) {
  std::vector<double> means(static_cast<size_t>(channels)), variances(static_cast<size_t>(channels));
  add_pixels(x, pixels, channels, means.data());
  group_means(means, step.groups, static_cast<double>(pixels));
  add_squares(x, pixels, channels, means.data(), variances.data());
  group_means(variances, step.groups, static_cast<double>(pixels));
  const T* weight = step.weight.const_data_ptr<T>();
  const T* bias = step.bias.const_data_ptr<T>();
  ChannelFactors<T> factors;
  for (size_t c = 0; c < means.size(); ++c) {
    const double factor = static_cast<double>(weight[c]) / std::sqrt(variances[c] + step.eps);
    factors.scale.push_back(static_cast<T>(factor));
    factors.shift.push_back(static_cast<T>(static_cast<double>(bias[c]) - means[c] * factor));
  }
  scale_pixels(x, pixels, channels, factors, y);
  if (step.with_silu) apply_silu(y, pixels * channels);
}

template <class T>
Tensor normalised(const Tensor& images, const GroupNormStep& step) {
  const Tensor x = images.contiguous(at::MemoryFormat::ChannelsLast);
  Tensor y = at::empty_like(x);
  const int64_t channels = x.size(1), pixels = x.size(2) * x.size(3);
  const T* from = x.const_data_ptr<T>();
  T* to = y.mutable_data_ptr<T>();
  at::parallel_for(0, x.size(0), 1, [&](int64_t begin, int64_t end) {
    for (int64_t n = begin; n < end; ++n) {
      const int64_t offset = n * pixels * channels;
      normalise_image(from + offset, pixels, channels, step, to + offset);
    }
  });
  return y;
}

}  // namespace

Tensor group_norm(const Tensor& images, const GroupNormStep& step) {
  const at::ScalarType type = images.scalar_type();
  const bool in_loops = images.is_cpu() && !at::GradMode::is_enabled() && step.weight.scalar_type() == type &&
                        (type == at::kFloat || type == at::kDouble);
  if (in_loops && type == at::kFloat) return normalised<float>(images, step);
  if (in_loops) return normalised<double>(images, step);
  const Tensor normed = at::group_norm(images, step.groups, step.weight, step.bias, step.eps);
  return step.with_silu ? at::silu(normed) : normed;
}

}  // namespace diptych
