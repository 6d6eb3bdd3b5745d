#include "diptych/model/layers/layers.h"

#include <gtest/gtest.h>

#include "diptych/tensor/random.h"
#include "support/compare.h"

namespace diptych {
namespace {

constexpr double kEps = 1e-6;

Tensor numbers(uint64_t seed, at::IntArrayRef shape) {
  return normal_tensor({.seed = seed}, shape);
}

Tensor plain_rms_norm(const Tensor& x, const Tensor& weight) {
  return x * (x.square().mean(-1, true) + kEps).rsqrt() * weight;
}

TEST(LayersTest, SlotsHaveNamesAndShapes) {
  Linear with_bias = make_linear(3, 5, true), without_bias = make_linear(3, 5, false);
  LayerNorm norm = make_layer_norm(4, 1e-5);
  RmsNorm rms = make_rms_norm(4);
  std::vector<ParameterSlot> slots;
  collect(slots, "a", with_bias);
  collect(slots, "b", without_bias);
  collect(slots, "c", norm);
  collect(slots, "d", rms);
  std::vector<std::string> names;
  for (const ParameterSlot& slot : slots) {
    names.push_back(slot.name);
    EXPECT_TRUE(slot.tensor->is_meta()) << slot.name;
  }
  EXPECT_EQ(names, (std::vector<std::string>{"a.weight", "a.bias", "b.weight", "c.weight", "c.bias", "d.weight"}));
  EXPECT_EQ(slots[0].tensor->sizes(), at::IntArrayRef({5, 3}));
  EXPECT_EQ(slots[1].tensor->sizes(), at::IntArrayRef({5}));
}

TEST(LayersTest, LinearMatchesItsFormula) {
  const Linear layer = {numbers(1, {96, 64}), numbers(2, {96})};
  const Tensor x = numbers(3, {40, 64});
  const Tensor all = linear(x, layer);
  EXPECT_TRUE(
      close(all, at::linear(x.to(at::kDouble), layer.weight.to(at::kDouble), layer.bias.to(at::kDouble)).to(at::kFloat),
            {.normalised = 1e-5}));
}

// Which kernels do so by themselves differs from processor to processor, and with what variables take from it.
TEST(LayersTest, RowsOfALinearLayerDoNotDependOnTheBatch) {
  for (const at::ScalarType type : {at::kFloat, at::kBFloat16}) {
    for (const auto& [in, out] : std::vector<std::pair<int64_t, int64_t>>{{16, 16}, {64, 96}, {128, 384}, {384, 128}}) {
      const Linear layer = {numbers(1, {out, in}).to(type), numbers(2, {out}).to(type)};
      const Tensor x = numbers(3, {200, in}).to(type);
      const Tensor all = linear(x, layer);
      for (const int64_t rows : {1, 2, 3, 7, 15, 16, 17, 18, 33, 49, 64, 96, 101, 128, 199})
        EXPECT_TRUE(same_bits(linear(x.narrow(0, 0, rows), layer), all.narrow(0, 0, rows)))
            << type << ", " << in << " to " << out << ", " << rows << " rows";
    }
  }
}

TEST(LayersTest, PaddedRowsGiveTheGradientsOfTheRealOnes) {
  const Tensor weight = numbers(1, {6, 4}).requires_grad_(), bias = numbers(2, {6}).requires_grad_();
  const Tensor x = numbers(3, {3, 4}).requires_grad_();
  linear(x, {weight, bias}).square().sum().backward();
  const Tensor slope = 2 * at::linear(x.detach(), weight.detach(), bias.detach());
  EXPECT_TRUE(close(x.grad(), slope.mm(weight.detach()), {.normalised = 1e-6}));
  EXPECT_TRUE(close(weight.grad(), slope.t().mm(x.detach()), {.normalised = 1e-6}));
  EXPECT_TRUE(close(bias.grad(), slope.sum(0), {.normalised = 1e-6}));
}

TEST(LayersTest, RmsNormMatchesItsFormula) {
  for (const int64_t width : {1, 5, 16, 64, 131}) {
    const Tensor x = numbers(4, {3, 7, width}) * 3, weight = numbers(5, {width});
    const Tensor expected = plain_rms_norm(x.to(at::kDouble), weight.to(at::kDouble));
    EXPECT_TRUE(close(rms_norm(x, weight, kEps), expected.to(at::kFloat), {.normalised = 1e-6})) << width;
    EXPECT_TRUE(close(rms_norm(x.to(at::kDouble), weight.to(at::kDouble), kEps), expected, {.normalised = 1e-14}));
  }
}

TEST(LayersTest, RmsNormTakesStridedInputAndNoRows) {
  const Tensor x = numbers(4, {6, 8}), weight = numbers(5, {6});
  EXPECT_TRUE(same_bits(rms_norm(x.t(), weight, kEps), rms_norm(x.t().contiguous(), weight, kEps)));
  EXPECT_EQ(rms_norm(x.t().narrow(0, 0, 0), weight, kEps).sizes(), at::IntArrayRef({0, 6}));
}

TEST(LayersTest, RmsNormCastsBeforeTheWeight) {
  const Tensor x = numbers(4, {50, 64}).to(at::kBFloat16), weight = numbers(5, {64}).to(at::kBFloat16);
  const Tensor normed = plain_rms_norm(x.to(at::kFloat), at::ones({64})).to(at::kBFloat16);
  EXPECT_TRUE(same_bits(rms_norm(x, weight, kEps), normed * weight));
}

TEST(LayersTest, SiluMulMatchesItsFormulaAtAllSizes) {
  const Tensor gate = at::cat({at::linspace(-120, 120, 4801), numbers(6, {200})}), up = numbers(7, {5001});
  const Tensor exact = at::silu(gate.to(at::kDouble));
  // With up = 1 the product is silu itself: relative error, and an absolute one where silu underflows.
  const Tensor silu = silu_mul(gate, at::ones_like(gate)).to(at::kDouble);
  EXPECT_LT(((silu - exact).abs() - 1e-34).div(exact.abs() + 1e-36).max().item<double>(), 5e-7);
  EXPECT_TRUE(close(silu_mul(gate, up), (exact * up.to(at::kDouble)).to(at::kFloat), {.normalised = 1e-6}));
}

TEST(LayersTest, FusedValuesDoNotDependOnTheBatch) {
  const Tensor x = numbers(8, {37, 21}), up = numbers(9, {37, 21}), weight = numbers(5, {21});
  const Tensor normed = rms_norm(x, weight, kEps), product = silu_mul(x, up);
  for (int64_t row = 0; row < 37; ++row) {
    EXPECT_TRUE(same_bits(rms_norm(x.narrow(0, row, 1), weight, kEps), normed.narrow(0, row, 1)));
    EXPECT_TRUE(same_bits(silu_mul(x.narrow(0, row, 1), up.narrow(0, row, 1)), product.narrow(0, row, 1)));
  }
}

}  // namespace
}  // namespace diptych
