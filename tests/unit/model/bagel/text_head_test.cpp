#include "diptych/tensor/torch.h"

#include "diptych/model/bagel/text_head.h"

#include <gtest/gtest.h>

#include "support/compare.h"
#include "support/tiny_model.h"

namespace diptych {
namespace {

struct Case {
  Tensor hidden, weight, ids, upstream;
};

Case make_case(int64_t rows, int64_t vocabulary, int64_t width, at::ScalarType dtype) {
  Stream stream({.seed = 3});
  std::vector<int64_t> ids;
  for (int64_t i = 0; i < rows; ++i)
    ids.push_back(static_cast<int64_t>(stream.below(static_cast<uint64_t>(vocabulary))));
  return {numbers(1, {rows, width}).to(dtype), numbers(2, {vocabulary, width}).mul(0.3).to(dtype),
          at::tensor(ids, at::kLong), numbers(3, {rows}).to(dtype)};
}

/** Values and gradients against log_softmax in float64. */
void expect_naive(const Case& given, double temperature, double tolerance) {
  const auto run = [&](at::ScalarType dtype, auto logprobs) {
    const Tensor hidden = given.hidden.to(dtype).detach().clone().requires_grad_();
    const Tensor weight = given.weight.to(dtype).detach().clone().requires_grad_();
    const Tensor values = logprobs(hidden, weight);
    (values * given.upstream.to(dtype)).sum().backward();
    return std::vector<Tensor>{values.detach(), hidden.grad(), weight.grad()};
  };
  const std::vector<Tensor> expected = run(at::kDouble, [&](const Tensor& hidden, const Tensor& weight) {
    return hidden.mm(weight.t()).div(temperature).log_softmax(1).gather(1, given.ids.unsqueeze(1)).squeeze(1);
  });
  const at::ScalarType dtype = given.hidden.scalar_type();
  const std::vector<Tensor> actual = run(dtype, [&](const Tensor& hidden, const Tensor& weight) {
    return token_logprobs(hidden, Linear{weight, {}}, given.ids, temperature);
  });
  for (size_t i = 0; i < expected.size(); ++i)
    EXPECT_TRUE(close(actual[i], expected[i].to(dtype), {.normalised = tolerance})) << i;
}

TEST(TextHeadTest, MatchesLogSoftmaxInFloat64) {
  for (const double temperature : {1.0, 0.6, 2.5})
    for (const int64_t rows : {1, 5, 40}) expect_naive(make_case(rows, 97, 12, at::kDouble), temperature, 1e-12);
}

TEST(TextHeadTest, MatchesLogSoftmaxInFloat32) {
  expect_naive(make_case(33, 301, 24, at::kFloat), 0.8, 2e-5);
}

TEST(TextHeadTest, ChunksChangeNothing) {
  // 2^24 logits a chunk: 838 rows of 20011, so these are a full chunk and a short one.
  expect_naive(make_case(845, 20011, 4, at::kDouble), 1.3, 1e-11);
}

TEST(TextHeadTest, ARowDoesNotDependOnItsNeighbours) {
  const Case given = make_case(40, 97, 12, at::kFloat);
  const Linear head{given.weight, {}};
  const Tensor all = token_logprobs(given.hidden, head, given.ids);
  for (const int64_t count : {1, 3, 17})
    EXPECT_TRUE(same_bits(token_logprobs(given.hidden.narrow(0, 0, count), head, given.ids.narrow(0, 0, count)),
                          all.narrow(0, 0, count)));
}

TEST(TextHeadTest, AFrozenHeadGetsNoGradient) {
  const Case given = make_case(5, 97, 12, at::kFloat);
  const Tensor hidden = given.hidden.clone().requires_grad_();
  token_logprobs(hidden, Linear{given.weight, {}}, given.ids).sum().backward();
  EXPECT_TRUE(hidden.grad().defined());
  EXPECT_FALSE(given.weight.grad().defined());
}

TEST(TextHeadTest, HalfPrecisionLogitsGiveFloat32Values) {
  const Case given = make_case(5, 97, 12, at::kBFloat16);
  const Tensor values = token_logprobs(given.hidden, Linear{given.weight, {}}, given.ids);
  EXPECT_EQ(values.scalar_type(), at::kFloat);
  const Tensor exact =
      token_logprobs(given.hidden.to(at::kDouble), Linear{given.weight.to(at::kDouble), {}}, given.ids);
  EXPECT_TRUE(close(values, exact.to(at::kFloat), {.normalised = 0.02}));
}

}  // namespace
}  // namespace diptych
