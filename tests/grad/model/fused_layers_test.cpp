#include <gtest/gtest.h>

#include <functional>

#include "diptych/model/layers/layers.h"
#include "diptych/model/layers/rotary.h"
#include "diptych/tensor/random.h"
#include "support/compare.h"

namespace diptych {
namespace {

constexpr double kEps = 1e-6;

Tensor numbers(uint64_t seed, at::IntArrayRef shape) {
  return normal_tensor({.seed = seed}, shape).to(at::kDouble);
}

/** Central differences of a scalar function in every element of x. */
Tensor numeric_gradient(const std::function<Tensor()>& loss, Tensor& x) {
  const at::NoGradGuard no_grad;
  const double step = 1e-6;
  Tensor gradient = at::empty_like(x);
  const Tensor flat = x.view({-1});
  for (int64_t i = 0; i < flat.numel(); ++i) {
    const double value = flat[i].item<double>();
    flat[i].fill_(value + step);
    const double above = loss().item<double>();
    flat[i].fill_(value - step);
    const double below = loss().item<double>();
    flat[i].fill_(value);
    gradient.view({-1})[i].fill_((above - below) / (2 * step));
  }
  return gradient;
}

void check(const std::function<Tensor(const Tensor&, const Tensor&)>& layer, Tensor first, Tensor second) {
  first.requires_grad_();
  second.requires_grad_();
  const Tensor slope = numbers(99, layer(first, second).sizes());
  const auto loss = [&] { return (layer(first, second) * slope).sum(); };
  loss().backward();
  EXPECT_TRUE(close(first.grad(), numeric_gradient(loss, first), {.normalised = 1e-7, .absolute = 1e-8}));
  EXPECT_TRUE(close(second.grad(), numeric_gradient(loss, second), {.normalised = 1e-7, .absolute = 1e-8}));
}

const auto kRmsNorm = [](const Tensor& x, const Tensor& weight) { return rms_norm(x, weight, kEps); };

TEST(FusedLayersGradTest, RmsNormAgreesWithDifferences) {
  for (const int64_t width : {1, 5, 16, 37}) {
    check(kRmsNorm, numbers(1, {3, 2, width}), numbers(2, {width}));
  }
  check(kRmsNorm, numbers(1, {130, 3}), numbers(2, {3}));
}

/** Queries of four rows of two heads, normalised and rotated. */
Tensor normed_and_rotated(const Tensor& heads, const Tensor& weight) {
  const int64_t width = heads.size(2);
  return norm_rotate(heads, {weight}, kEps, rotation(at::arange(4), width, 1e4, at::kDouble));
}

TEST(FusedLayersGradTest, NormRotateAgreesWithDifferences) {
  for (const int64_t width : {2, 8, 34}) check(normed_and_rotated, numbers(1, {4, 2, width}), numbers(2, {width}));
}

TEST(FusedLayersGradTest, NormRotateIsTheFormula) {
  const Tensor heads = numbers(1, {4, 2, 6}), weight = numbers(2, {6});
  const Tensor normed = at::rms_norm(heads, {6}, std::nullopt, kEps) * weight;
  const Tensor angles = at::outer(at::arange(4, at::kDouble), at::pow(1e4, at::arange(3, at::kDouble) * (-2.0 / 6)));
  const Tensor cosine = at::cat({angles.cos(), angles.cos()}, 1).unsqueeze(1);
  const Tensor sine = at::cat({angles.sin(), angles.sin()}, 1).unsqueeze(1);
  const std::vector<Tensor> halves = normed.chunk(2, 2);
  const Tensor expected = normed * cosine + at::cat({-halves[1], halves[0]}, 2) * sine;
  // Angles are float32 by the reference.
  EXPECT_TRUE(close(normed_and_rotated(heads, weight), expected, {.normalised = 1e-6}));
}

TEST(FusedLayersGradTest, SiluMulAgreesWithDifferences) {
  check(silu_mul, numbers(3, {7, 9}) * 3, numbers(4, {7, 9}));
}

TEST(FusedLayersGradTest, Float32GradientsFollowFloat64) {
  const auto gradients = [](at::ScalarType dtype, auto layer, const Tensor& first, const Tensor& second) {
    const Tensor a = first.to(dtype).detach().clone().requires_grad_();
    const Tensor b = second.to(dtype).detach().clone().requires_grad_();
    const Tensor out = layer(a, b);
    out.backward(numbers(5, out.sizes()).to(dtype));
    return std::pair{a.grad(), b.grad()};
  };
  const auto compare = [&](auto layer, const Tensor& first, const Tensor& second) {
    const auto [a, b] = gradients(at::kFloat, layer, first, second);
    const auto [exact_a, exact_b] = gradients(at::kDouble, layer, first, second);
    EXPECT_TRUE(close(a, exact_a.to(at::kFloat), {.normalised = 6e-6}));
    EXPECT_TRUE(close(b, exact_b.to(at::kFloat), {.normalised = 6e-6}));
  };
  compare(kRmsNorm, numbers(1, {1000, 64}), numbers(2, {64}));
  compare(silu_mul, numbers(3, {100, 33}) * 5, numbers(4, {100, 33}));
}

TEST(FusedLayersGradTest, StridedGradientsAndFrozenWeights) {
  const Tensor x = numbers(1, {4, 6}).requires_grad_(), weight = numbers(2, {6});
  rms_norm(x, weight, kEps).t().contiguous().mul(numbers(3, {6, 4})).sum().backward();
  const Tensor strided = x.grad().clone();
  x.mutable_grad().zero_();
  rms_norm(x, weight, kEps).mul(numbers(3, {6, 4}).t()).sum().backward();
  EXPECT_TRUE(close(x.grad(), strided, {.normalised = 1e-14}));
  EXPECT_FALSE(weight.grad().defined());
}

}  // namespace
}  // namespace diptych
