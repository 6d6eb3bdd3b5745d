#include "diptych/tensor/autograd.h"

#include <gtest/gtest.h>

#include "diptych/model/bagel/adapters.h"
#include "support/compare.h"
#include "support/tiny_model.h"

namespace diptych {
namespace {

struct Pass {
  Tensor outputs;
  std::vector<Tensor> gradients;
};

/** Text, a picture to look at, a thought and two noisy copies, with their gradients to every weight that trains. */
Pass run(Bagel& model, const std::vector<Tensor>& weights, bool detach_context) {
  std::vector<Segment> segments = {text_segment({4, 5, 6, 7, 8}, -1, 0),
                                   image_segment(SegmentKind::clean_latent, numbers(1, {4, 16}), 2, 2, 0, 5),
                                   text_segment({9, 10, 11}, 1, 6), noisy_segment(numbers(2, {4, 16}), 2, 2, 0.7, 2, 9),
                                   noisy_segment(numbers(3, {4, 16}), 2, 2, 0.3, 2, 9)};
  segments[4].detach_context = detach_context;
  const PackOutput output = forward(model, segments);
  Pass pass;
  pass.outputs = at::cat({logits(model, output.und).flatten(), velocity(model, output.latent).flatten()});
  pass.gradients = torch::autograd::grad({pass.outputs.sin().sum()}, weights, {}, false, false, /*allow_unused=*/true);
  return pass;
}

void expect_same(const Pass& a, const Pass& b) {
  EXPECT_TRUE(same_bits(a.outputs.detach(), b.outputs.detach()));
  ASSERT_EQ(a.gradients.size(), b.gradients.size());
  for (size_t i = 0; i < a.gradients.size(); ++i) {
    ASSERT_EQ(a.gradients[i].defined(), b.gradients[i].defined()) << i;
    if (!a.gradients[i].defined()) continue;
    EXPECT_TRUE(same_bits(a.gradients[i], b.gradients[i])) << i;
  }
}

TEST(RecomputeTest, GradientsAreTheSameBits) {
  for (const at::ScalarType type : {at::kFloat, at::kDouble, at::kBFloat16}) {
    for (const bool detached : {false, true}) {
      Bagel model = tiny_bagel(type);
      std::vector<Tensor> weights;
      for (const ParameterSlot& slot : transformer_slots(model))
        if (slot.name.find(".layers.") != std::string::npos && slot.name.find("vit") == std::string::npos)
          weights.push_back(slot.tensor->requires_grad_(true));
      const Pass kept = run(model, weights, detached);
      model.decoder.recompute = true;
      expect_same(run(model, weights, detached), kept);
    }
  }
}

TEST(RecomputeTest, SoAreThoseOfAdaptersAndEmbeddings) {
  Bagel model = tiny_bagel();
  std::vector<Tensor> weights = {model.embed_tokens.requires_grad_(true), model.vae2llm.weight.requires_grad_(true)};
  for (const ParameterSlot& slot : attach_adapters(model, {.rank = 2, .alpha = 4, .targets = {"*_proj*"}}, 1)) {
    slot.tensor->add_(numbers(7, slot.tensor->sizes()), 0.1);
    weights.push_back(slot.tensor->requires_grad_(true));
  }
  merge_adapters(model);
  const Pass kept = run(model, weights, false);
  EXPECT_GT(kept.gradients[2].abs().max().item<double>(), 0);
  model.decoder.recompute = true;
  expect_same(run(model, weights, false), kept);
}

/** One expert trains alone, so nothing but the weights of a layer needs a gradient at first. */
TEST(RecomputeTest, NoGradientIsLostWhereTheInputNeedsNone) {
  Bagel model = tiny_bagel();
  const Tensor first = model.decoder.layers.front().gen.query.weight.requires_grad_(true);
  const Pass kept = run(model, {first}, false);
  model.decoder.recompute = true;
  const Pass again = run(model, {first}, false);
  expect_same(again, kept);
  EXPECT_GT(again.gradients[0].abs().max().item<double>(), 0);
}

}  // namespace
}  // namespace diptych
