#include "diptych/tensor/autograd.h"

#include "diptych/train/optimizer/gradient_buckets.h"

#include <ATen/Parallel.h>
#include <gtest/gtest.h>

#include "diptych/base/text_format.h"
#include "diptych/train/optimizer/trained_policy.h"
#include "support/compare.h"
#include "support/tiny_model.h"
#include "unit/distributed/forked_ranks.h"

namespace diptych {
namespace {

constexpr int kLayers = 6;
constexpr int64_t kWidth = 32;

Tensor weight(int layer) {
  return numbers(10 + static_cast<uint64_t>(layer), {kWidth, kWidth}).requires_grad_(true);
}

Tensor input(int rank) {
  return numbers(30 + static_cast<uint64_t>(rank), {5, kWidth});
}

Tensor loss_of(const Tensor& x, const std::vector<Tensor>& weights) {
  Tensor hidden = x;
  for (const Tensor& layer : weights) hidden = at::mm(hidden, layer).tanh();
  return hidden.square().sum();
}

/** Two weights a bucket. What the backward pass reaches last finds the first buckets gone. */
std::string sum_in_buckets(const ProcessPlace& place) {
  at::set_num_threads(1);
  ProcessGroup ranks(place, std::chrono::seconds(60));
  std::vector<Tensor> weights;
  for (int layer = 0; layer < kLayers; ++layer) weights.push_back(weight(layer));
  GradientBuckets buckets(weights, ranks, 2 * kWidth * kWidth * 4);

  for (int pass = 0; pass < 2; ++pass) {
    for (Tensor& layer : weights) layer.mutable_grad() = Tensor();
    const Tensor x = input(place.rank).requires_grad_(true);
    size_t gone = 0;
    x.register_hook([&](const Tensor&) {
      for (const Tensor& layer : weights) gone += layer.grad().defined() ? 0 : 1;
    });
    buckets.watch();
    loss_of(x, weights).backward();
    buckets.start();
    if (gone < 4) return cat(gone, " gradients were on their way when the backward pass came to its end");
    buckets.finish();

    std::vector<Tensor> alone;
    for (int layer = 0; layer < kLayers; ++layer) alone.push_back(weight(layer));
    for (int rank = 0; rank < place.world; ++rank) loss_of(input(rank), alone).backward();
    for (int layer = 0; layer < kLayers; ++layer) {
      const size_t i = static_cast<size_t>(layer);
      const auto same = close(weights[i].grad(), alone[i].grad(), {.normalised = 1e-6});
      if (!same) return cat("layer ", layer, ": ", same.message());
    }
  }
  return "fine";
}

TEST(GradientBucketsTest, StartWhileTheBackwardPassRuns) {
  ForkedRanks ranks(3, sum_in_buckets);
  for (int rank = 0; rank < 3; ++rank) EXPECT_EQ(ranks.end_of(rank).output, "fine") << rank;
}

}  // namespace
}  // namespace diptych
