#include "diptych/tensor/torch.h"

#include "diptych/train/optimizer/gradient_sum.h"

#include <gtest/gtest.h>

#include <array>

#include "support/compare.h"

namespace diptych {
namespace {

/** Three parameters; pack p has the loss (p + 1) (x_0 + x_1) + a_p x_2, but the last has no part in pack 0. */
struct Parameters {
  std::vector<Tensor> list = {at::ones({2}).requires_grad_(), at::ones({2}).requires_grad_(),
                              at::ones({2}).requires_grad_()};
  Tensor loss(int64_t pack) const {
    // The sum of the first two makes autograd hand out one tensor for both.
    Tensor total = ((list[0] + list[1]) * static_cast<double>(pack + 1)).sum();
    // In float32 these add up to 0 in their order, and to 1 where the small one comes last.
    constexpr std::array<double, 4> parts = {0, 1e8, 1, -1e8};
    if (pack > 0) total = total + (list[2] * parts[static_cast<size_t>(pack)]).sum();
    return total;
  }
};

TEST(GradientSumTest, PacksInAnyOrderMakeTheSumOfOneAfterTheOther) {
  Parameters plain;
  GradientSum in_order(plain.list, 1);
  for (const int64_t pack : {0, 1, 2, 3}) in_order.add(pack, plain.loss(pack));
  EXPECT_TRUE(same_bits(plain.list[0].grad(), at::full({2}, 10.0)));
  EXPECT_TRUE(same_bits(plain.list[2].grad(), at::zeros({2})));
  for (const std::vector<int64_t>& order :
       {std::vector<int64_t>{0, 1, 2, 3}, {3, 1, 2, 0}, {1, 3, 0, 2}, {2, 0, 1, 3}}) {
    Parameters own;
    GradientSum sum(own.list, 2);
    for (const int64_t pack : order) sum.add(pack, own.loss(pack));
    for (size_t i = 0; i < 3; ++i) EXPECT_TRUE(same_bits(own.list[i].grad(), plain.list[i].grad()));
  }
}

TEST(GradientSumTest, APackWithoutAWayToAParameterAddsNothing) {
  for (const int64_t at_once : {1, 2}) {
    Parameters own;
    GradientSum sum(own.list, at_once);
    sum.add(0, at::zeros({}));
    sum.add(1, own.loss(1));
    sum.add(2, at::ones({}));
    EXPECT_TRUE(same_bits(own.list[0].grad(), at::full({2}, 2.0))) << at_once;
  }
}

TEST(GradientSumTest, AParameterWithoutAPartHasNoGradient) {
  Parameters own;
  GradientSum sum(own.list, 2);
  sum.add(0, own.loss(0));
  EXPECT_TRUE(own.list[1].grad().defined());
  EXPECT_FALSE(own.list[2].grad().defined());
  own.list[0].mutable_grad().mul_(2);  // as clipping does
  EXPECT_TRUE(same_bits(own.list[1].grad(), at::ones({2})));
}

}  // namespace
}  // namespace diptych
