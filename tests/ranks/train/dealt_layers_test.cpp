#include "diptych/tensor/torch.h"

#include "diptych/train/optimizer/dealt_layers.h"

#include <ATen/Parallel.h>
#include <gtest/gtest.h>

#include "diptych/base/text_format.h"
#include "diptych/train/optimizer/trainable.h"
#include "diptych/train/optimizer/trained_policy.h"
#include "support/compare.h"
#include "support/pretend_gpu.h"
#include "support/tiny_model.h"
#include "unit/distributed/forked_ranks.h"

// Each rank is a process of its own, which says "fine" or what was wrong: an assertion in a child reaches nobody.

namespace diptych {
namespace {

constexpr int kWorld = 3;

int64_t bytes_of(const std::vector<ParameterSlot>& slots) {
  int64_t bytes = 0;
  for (const ParameterSlot& slot : slots) bytes += static_cast<int64_t>(slot.tensor->storage().nbytes());
  return bytes;
}

std::vector<ParameterSlot> layer_slots(Bagel& model) {
  return matching_slots(transformer_slots(model), {"language_model.model.layers.*"});
}

Tensor loss_of(const Bagel& model, int number) {
  const std::vector<Segment> pack = {
      text_segment({5, 6, 7}, -1, 0),
      noisy_segment(numbers(40 + static_cast<uint64_t>(number), {4, 16}), 2, 2, 0.5, 0, 3)};
  const PackOutput output = forward(model, pack);
  return output.und.square().mean() + output.latent.square().mean();
}

/** Gradients of the losses of `packs` packs, by name, computed by one process with all weights. */
std::map<std::string, Tensor> gradients_alone(at::ScalarType dtype, int packs) {
  Bagel model = tiny_bagel(dtype);
  model.decoder.recompute = true;
  std::map<std::string, Tensor> gradients;
  const std::vector<ParameterSlot> slots = layer_slots(model);
  for (const ParameterSlot& slot : slots) slot.tensor->requires_grad_(true);
  for (int pack = 0; pack < packs; ++pack) {
    for (const ParameterSlot& slot : slots) slot.tensor->mutable_grad() = Tensor();
    loss_of(model, pack).backward();
    for (const ParameterSlot& slot : slots) {
      Tensor& sum = gradients[slot.name];
      if (!sum.defined()) sum = at::zeros(slot.tensor->sizes());
      sum += slot.tensor->grad();
    }
  }
  return gradients;
}

PolicyOptions dealing() {
  PolicyOptions options;
  options.und_learning_rate = options.gen_learning_rate = 1e-3;
  options.shard_weights = true;
  return options;
}

/** Two packs on rank 0, one on the others. */
std::string deal_and_train(const ProcessPlace& place, at::ScalarType dtype, bool on_a_gpu) {
  at::set_num_threads(1);
  ProcessGroup ranks(place, std::chrono::seconds(60));
  Bagel model = tiny_bagel(dtype), whole = tiny_bagel(dtype);
  model.decoder.recompute = true;
  if (on_a_gpu)
    for (const ParameterSlot& slot : all_slots(model)) *slot.tensor = slot.tensor->to(pretend_gpu());
  TrainedPolicy policy(model, dealing(), ranks);
  const std::vector<ParameterSlot> slots = layer_slots(model), expected = layer_slots(whole);
  const int64_t all = bytes_of(slots);
  policy.deal_weights();
  if (bytes_of(slots) * 2 > all) return cat("a rank of ", kWorld, " keeps ", bytes_of(slots), " of ", all, " bytes");

  policy.optimizer().clear_gradients();
  for (int round = 0; round < 2; ++round)
    place.rank == 0 || round == 0 ? loss_of(model, round == 0 ? place.rank : kWorld).backward()
                                  : policy.dealt_layers()->idle_pass();
  if (bytes_of(slots) * 2 > all) return "a layer stayed after a pass";
  const std::map<std::string, Tensor> alone = gradients_alone(dtype, kWorld + 1);
  const std::map<std::string, int> owners = policy.optimizer().owners();
  for (const ParameterSlot& slot : slots) {
    const Tensor gradient = slot.tensor->grad();
    if (owners.at(slot.name) != place.rank) {
      if (gradient.defined()) return cat(slot.name, " has a gradient where it is not owned");
      continue;
    }
    const Tolerance tolerance{.normalised = dtype == at::kBFloat16 ? 2e-2 : 5e-5};
    const auto same = close(gradient, alone.at(slot.name), tolerance);
    if (!same) return cat(slot.name, ": ", same.message());
  }

  policy.gather_weights();
  if (bytes_of(slots) != all) return "not all weights came back";
  for (size_t i = 0; i < slots.size(); ++i)
    if (!same_bits(slots[i].tensor->detach().cpu(), *expected[i].tensor))
      return cat(slots[i].name, " came back changed");

  // After an update all ranks get what the owners made of their weights.
  policy.deal_weights();
  const StepReport report = policy.step(1);
  policy.gather_weights();
  if (!report.applied || report.groups.front().changed_share < 0.5) return "the update changed nothing";
  int64_t checksum = 0;
  for (const ParameterSlot& slot : slots)
    checksum += slot.tensor->detach().to(at::kFloat).contiguous().view(at::kInt).to(at::kLong).sum().item<int64_t>();
  ranks.check_same("weights after the update", static_cast<uint64_t>(checksum));
  return "fine";
}

void expect_fine(at::ScalarType dtype, bool on_a_gpu = false) {
  ForkedRanks ranks(kWorld, [&](const ProcessPlace& place) { return deal_and_train(place, dtype, on_a_gpu); });
  for (int rank = 0; rank < kWorld; ++rank) EXPECT_EQ(ranks.end_of(rank).output, "fine") << rank;
}

TEST(DealtLayersTest, ARankKeepsItsShareAndTheLayerAtWork) {
  expect_fine(at::kFloat);
}

TEST(DealtLayersTest, SoItDoesOnAGpu) {
  expect_fine(at::kFloat, /*on_a_gpu=*/true);
}

TEST(DealtLayersTest, SoItDoesInBfloat16) {
  expect_fine(at::kBFloat16);
}

}  // namespace
}  // namespace diptych
