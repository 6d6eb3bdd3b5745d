#include <gtest/gtest.h>

#include <barrier>
#include <thread>

#include "diptych/kernels/row_math.h"
#include "diptych/model/layers/layers.h"
#include "diptych/model/layers/rotary.h"
#include "diptych/tensor/autograd.h"
#include "diptych/tensor/random.h"
#include "support/compare.h"
#include "support/one_lane.h"

// The lines of the CUDA kernels, run by the host: a row by one lane, and by several that share it as threads do. And
// what surrounds the kernels of every device, on the CPU.

namespace diptych {
namespace {

using kernels::Bfloat16;

constexpr double kRowEps = 1e-6;
// bfloat16 has 8 bits: 2^-9 of numbers eight times the usual.
constexpr Tolerance kRowRounding{.normalised = 1.6e-2};

Tensor rounded_numbers(uint64_t seed, at::IntArrayRef shape) {
  return normal_tensor({.seed = seed}, shape).to(at::kBFloat16);
}

const Bfloat16* read(const Tensor& tensor, int64_t row = 0) {
  return static_cast<const Bfloat16*>(tensor.const_data_ptr()) + row * tensor.size(-1);
}

Bfloat16* write(const Tensor& tensor, int64_t row = 0) {
  return static_cast<Bfloat16*>(tensor.mutable_data_ptr()) + row * tensor.size(-1);
}

/** What lanes share: a sum, and places to wait for each other. */
struct Row {
  explicit Row(int count) : parts(static_cast<size_t>(count)), together(count) {}
  std::vector<float> parts;
  std::barrier<> together;
};

struct SharingLane {
  Row& row;
  int lane;

  int number() const { return lane; }
  int count() const { return static_cast<int>(row.parts.size()); }
  float sum(float x) const {
    row.parts[static_cast<size_t>(lane)] = x;
    row.together.arrive_and_wait();
    float total = 0;
    for (const float part : row.parts) total += part;
    row.together.arrive_and_wait();
    return total;
  }
};

/** Share of numbers with other bits. */
double differing(const Tensor& a, const Tensor& b) {
  return (a.view(at::kShort) != b.view(at::kShort)).to(at::kDouble).mean().item<double>();
}

/** body(lane) for every lane of a row. */
template <class Body>
void with_lanes(int count, const Body& body) {
  Row row(count);
  std::vector<std::jthread> threads;
  for (int lane = 0; lane < count; ++lane) threads.emplace_back([&, lane] { body(SharingLane{row, lane}); });
}

/** By one lane, and by numbers of lanes that share rows evenly and unevenly, into outputs of their own, which must
 * agree but for the order of the sum. */
template <class Body>
Tensor both_ways(const Tensor& like, const Body& body) {
  const Tensor alone = at::full_like(like, std::nan(""));
  body(OneLane(), alone);
  for (const int lanes : {2, 5, 16}) {
    const Tensor shared = at::full_like(like, std::nan(""));
    with_lanes(lanes, [&](const SharingLane& lane) { body(lane, shared); });
    EXPECT_TRUE(close(shared, alone, kRowRounding)) << lanes << " lanes";
    EXPECT_LT(differing(shared, alone), 2e-2) << lanes << " lanes";
  }
  return alone;
}

TEST(KernelRowsTest, Bfloat16IsThatOfTorch) {
  std::vector<float> values = {0.0F, -0.0F, 1.0F, 1.00390625F, 1.01171875F, 3.4e38F, -3.4028235e38F, 1e-40F, -9e-41F};
  values.push_back(std::numeric_limits<float>::infinity());
  const Tensor many = at::cat({at::tensor(values), normal_tensor({.seed = 1}, {4000}) * 1e3});
  const Tensor expected = many.to(at::kBFloat16);
  for (int64_t i = 0; i < many.numel(); ++i) {
    const float value = many.const_data_ptr<float>()[i];
    EXPECT_EQ(kernels::narrow(value).bits, read(expected)[i].bits) << value;
    EXPECT_EQ(kernels::wide(read(expected)[i]), expected[i].item<float>());
  }
  EXPECT_TRUE(std::isnan(kernels::rounded(std::numeric_limits<float>::quiet_NaN())));
}

/** What the layers compute as separate operations: 1 / rms in float32, and the rows times it and the weight. */
struct Normed {
  Tensor scale;  // [rows, 1]
  Tensor rows;   // bfloat16
};

Normed normed(const Tensor& x, const Tensor& weight) {
  const Tensor scale = x.to(at::kFloat).square().mean(1, true).add(kRowEps).rsqrt();
  return {scale, (x.to(at::kFloat) * scale).to(at::kBFloat16) * weight};
}

TEST(KernelRowsTest, RmsNormIsTheLayers) {
  for (const int64_t width : {8, 72, 1024}) {
    const Tensor x = rounded_numbers(2, {3, width}) * 3, weight = rounded_numbers(3, {width});
    const auto [scale, expected] = normed(x, weight);
    Tensor inverse = at::zeros({3});
    const Tensor y = both_ways(x, [&](const auto& lanes, const Tensor& out) {
      for (int64_t row = 0; row < 3; ++row)
        kernels::rms_norm_row(lanes, read(x, row), read(weight), static_cast<int>(width), kRowEps, write(out, row),
                              inverse.mutable_data_ptr<float>() + row);
    });
    EXPECT_TRUE(close(y, expected, kRowRounding)) << width;
    EXPECT_LT(differing(y, expected), 1e-2) << width;
    EXPECT_TRUE(close(inverse, scale.flatten(), {.normalised = 1e-6}));
  }
}

TEST(KernelRowsTest, RmsNormHasTheGradientsOfItsFormula) {
  constexpr int64_t rows = 9, width = 72;
  const Tensor x = rounded_numbers(2, {rows, width}) * 3, weight = rounded_numbers(3, {width}),
               slope = rounded_numbers(4, {rows, width});
  const Tensor exact_x = x.to(at::kDouble).requires_grad_(), exact_weight = weight.to(at::kDouble).requires_grad_();
  const Tensor scale = (exact_x.square().mean(1, true) + kRowEps).rsqrt();
  (exact_x * scale * exact_weight * slope.to(at::kDouble)).sum().backward();
  const Tensor inverse = scale.detach().flatten().to(at::kFloat);
  const Tensor x_gradient = both_ways(x, [&](const auto& lanes, const Tensor& out) {
    for (int64_t row = 0; row < rows; ++row)
      kernels::rms_norm_gradient_row(lanes, read(slope, row), read(x, row), read(weight),
                                     inverse.const_data_ptr<float>()[row], width, write(out, row));
  });
  EXPECT_TRUE(close(x_gradient, exact_x.grad().to(at::kBFloat16), kRowRounding));
  const auto part = [&](int64_t begin, int64_t end, int column) {
    return kernels::rms_norm_weight_gradient_of(read(slope), read(x), inverse.const_data_ptr<float>(), begin, end,
                                                width, column);
  };
  for (int column = 0; column < width; ++column) {
    const double expected = exact_weight.grad()[column].item<double>();
    EXPECT_NEAR(part(0, 4, column) + part(4, rows, column), expected, 2e-2) << column;
  }
}

struct Angles {
  Tensor cosine, sine;  // [rows, width], the sines with their first half negated
};

Angles angles(int64_t rows, int64_t width) {
  const Tensor half = normal_tensor({.seed = 11}, {rows, width / 2}) * 6;
  return {at::cat({half.cos(), half.cos()}, 1).to(at::kBFloat16),
          at::cat({-half.sin(), half.sin()}, 1).to(at::kBFloat16)};
}

TEST(KernelRowsTest, NormRotateIsTheLayers) {
  for (const int64_t width : {8, 24, 128, 136, 256}) {
    const Tensor x = rounded_numbers(5, {4, width}), weight = rounded_numbers(6, {width});
    const Angles turn = angles(4, width);
    const auto [scale, n] = normed(x, weight);
    const Tensor expected = n * turn.cosine + n.roll(width / 2, 1) * turn.sine;
    Tensor inverse = at::zeros({4});
    const Tensor y = both_ways(x, [&](const auto& lanes, const Tensor& out) {
      for (int64_t row = 0; row < 4; ++row)
        kernels::norm_rotate_row(lanes, read(x, row), read(weight), static_cast<int>(width), kRowEps,
                                 read(turn.cosine, row), read(turn.sine, row), write(out, row),
                                 inverse.mutable_data_ptr<float>() + row);
    });
    EXPECT_TRUE(close(y, expected, kRowRounding)) << width;
    EXPECT_LT(differing(y, expected), 2e-2) << width;
    EXPECT_TRUE(close(inverse, scale.flatten(), {.normalised = 1e-6}));
  }
}

/** Heads of this width: gradients of what norm_rotate does, in float64, and those of the rows. */
void check_rotated_gradients(int64_t width) {
  constexpr int64_t rows = 6;
  const Tensor x = rounded_numbers(5, {rows, width}), weight = rounded_numbers(6, {width}),
               slope = rounded_numbers(7, {rows, width});
  const Angles turn = angles(rows, width);
  const Tensor exact_x = x.to(at::kDouble).requires_grad_();
  const Tensor scale = (exact_x.square().mean(1, true) + kRowEps).rsqrt();
  const Tensor n = exact_x * scale * weight.to(at::kDouble);
  n.retain_grad();
  const Tensor y = n * turn.cosine.to(at::kDouble) + n.roll(width / 2, 1) * turn.sine.to(at::kDouble);
  (y * slope.to(at::kDouble)).sum().backward();
  const Tensor inverse = scale.detach().flatten().to(at::kFloat);
  const auto run = [&](const auto& lanes, const Tensor& out, const Tensor& of_n) {
    for (int64_t row = 0; row < rows; ++row)
      kernels::norm_rotate_gradient_row(lanes, read(slope, row), read(x, row), read(weight),
                                        inverse.const_data_ptr<float>()[row], static_cast<int>(width),
                                        read(turn.cosine, row), read(turn.sine, row), write(out, row),
                                        of_n.defined() ? write(of_n, row) : nullptr);
  };
  const Tensor unread = at::zeros_like(x);
  const Tensor x_gradient = both_ways(x, [&](const auto& lanes, const Tensor& out) { run(lanes, out, unread); });
  const Tensor n_gradient = both_ways(x, [&](const auto& lanes, const Tensor& out) { run(lanes, unread, out); });
  EXPECT_TRUE(close(x_gradient, exact_x.grad().to(at::kBFloat16), kRowRounding));
  EXPECT_TRUE(close(n_gradient, n.grad().to(at::kBFloat16), kRowRounding));
  Tensor again = at::zeros_like(x);
  run(OneLane(), again, Tensor());
  EXPECT_TRUE(same_bits(again, x_gradient));
}

TEST(KernelRowsTest, NormRotateHasTheGradientsOfItsFormula) {
  for (const int64_t width : {8, 24, 128, 136, 256}) {
    SCOPED_TRACE(width);
    check_rotated_gradients(width);
  }
}

TEST(KernelRowsTest, SiluMulIsTheLayersWithTheGradientsOfItsFormula) {
  constexpr int64_t count = 800;
  const Tensor gate = at::cat({at::linspace(-100, 100, 400).to(at::kBFloat16), rounded_numbers(8, {400})});
  const Tensor up = rounded_numbers(9, {count}), slope = rounded_numbers(10, {count});
  Tensor y = at::zeros_like(gate), gate_gradient = at::zeros_like(gate), up_gradient = at::zeros_like(up);
  for (int64_t at = 0; at < count; at += kernels::kPacket) {
    kernels::silu_mul_packet(read(gate) + at, read(up) + at, write(y) + at);
    kernels::silu_mul_gradient_packet(read(slope) + at, read(gate) + at, read(up) + at, write(gate_gradient) + at,
                                      write(up_gradient) + at);
  }
  EXPECT_TRUE(close(y, at::silu(gate) * up, kRowRounding));
  EXPECT_LT(differing(y, at::silu(gate) * up), 1e-2);
  const Tensor exact_gate = gate.to(at::kDouble).requires_grad_(), exact_up = up.to(at::kDouble).requires_grad_();
  (at::silu(exact_gate) * exact_up * slope.to(at::kDouble)).sum().backward();
  EXPECT_TRUE(close(gate_gradient, exact_gate.grad().to(at::kBFloat16), kRowRounding));
  EXPECT_TRUE(close(up_gradient, exact_up.grad().to(at::kBFloat16), kRowRounding));
}

using FusedLayer = Tensor (*)(const Tensor& heads, const Tensor& weight);

/** Each fused layer as a function of [3, 2, 8] and a second input. */
const std::vector<std::pair<FusedLayer, std::vector<int64_t>>>& fused_layers() {
  static const std::vector<std::pair<FusedLayer, std::vector<int64_t>>> layers = {
      {[](const Tensor& x, const Tensor& weight) { return rms_norm(x, weight, kRowEps); }, {8}},
      {[](const Tensor& x, const Tensor& weight) {
         return norm_rotate(x, {weight}, kRowEps, rotation(at::arange(3), 8, 1e4, at::kFloat));
       },
       {8}},
      {[](const Tensor& gate, const Tensor& up) { return silu_mul(gate, up); }, {3, 2, 8}}};
  return layers;
}

TEST(FusedLayersTest, WithoutGradientsTheBitsAreTheSame) {
  const Tensor strided = normal_tensor({.seed = 12}, {2, 3, 8}).transpose(0, 1).requires_grad_();
  for (const auto& [layer, shape] : fused_layers()) {
    const Tensor second = normal_tensor({.seed = 13}, shape);
    const Tensor expected = layer(strided, second);
    EXPECT_TRUE(expected.requires_grad());
    const at::NoGradGuard no_grad;
    const Tensor actual = layer(strided, second);
    EXPECT_TRUE(same_bits(actual, expected));
    EXPECT_FALSE(actual.requires_grad());
  }
}

TEST(FusedLayersTest, SecondGradientsAreRefused) {
  const Tensor x = normal_tensor({.seed = 12}, {3, 2, 8}).requires_grad_();
  for (const auto& [layer, shape] : fused_layers()) {
    const Tensor sum = layer(x, normal_tensor({.seed = 13}, shape)).sum();
    EXPECT_THROW(torch::autograd::grad({sum}, {x}, {}, /*retain_graph=*/true, /*create_graph=*/true), c10::Error);
    EXPECT_TRUE(torch::autograd::grad({sum}, {x})[0].defined());
  }
}

TEST(FusedLayersTest, RotationsThatDoNotFitAreRefused) {
  const Tensor heads = normal_tensor({.seed = 12}, {3, 2, 8}), weight = at::ones({8});
  const Rotation turn = rotation(at::arange(3), 8, 1e4, at::kFloat), shorter = narrow(turn, 0, 2);
  EXPECT_THROW(norm_rotate(heads, {weight}, kRowEps, {shorter.cosine, turn.sine}), c10::Error);
  EXPECT_THROW(norm_rotate(heads, {weight}, kRowEps, {turn.cosine, shorter.sine}), c10::Error);
  EXPECT_THROW(norm_rotate(heads, {weight}, kRowEps, {turn.cosine.to(at::kDouble), turn.sine}), c10::Error);
}

}  // namespace
}  // namespace diptych
