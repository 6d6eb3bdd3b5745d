#include "diptych/tensor/autograd.h"

#include "diptych/model/bagel/adapters.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "diptych/io/files.h"
#include "diptych/tensor/load.h"
#include "support/compare.h"
#include "support/expect_error.h"
#include "support/temporary_folder.h"
#include "support/tiny_model.h"

namespace diptych {
namespace {

const AdapterOptions kOptions = {.rank = 3, .alpha = 6, .targets = {"*_proj*"}};

std::vector<Segment> picture_behind_text() {
  return {text_segment({4, 5, 6, 7, 8}, -1, 0), noisy_segment(numbers(1, {4, 16}), 2, 2, 0.7, 0, 5),
          noisy_segment(numbers(2, {16, 16}), 4, 4, 0.3, 0, 5)};
}

Tensor outputs(const Bagel& model) {
  const PackOutput output = forward(model, picture_behind_text());
  return at::cat({logits(model, output.und).flatten(), velocity(model, output.latent).flatten()});
}

void stir_adapters(const std::vector<ParameterSlot>& slots) {
  const at::NoGradGuard no_grad;
  for (size_t i = 0; i < slots.size(); ++i)
    slots[i].tensor->add_(numbers(50 + i, slots[i].tensor->sizes()).to(slots[i].tensor->options()), 0.1);
}

TEST(AdaptersTest, FreshOnesChangeNothingAndAreAddressed) {
  Bagel model = tiny_bagel();
  const Tensor before = outputs(model);
  const std::vector<ParameterSlot> slots = attach_adapters(model, kOptions, 3);
  // 2 layers of two experts with 7 linears, 2 tensors each.
  ASSERT_EQ(slots.size(), 56u);
  EXPECT_EQ(slots[0].name, "language_model.model.layers.0.self_attn.q_proj.lora_A.weight");
  EXPECT_EQ(slots[55].name, "language_model.model.layers.1.mlp_moe_gen.down_proj.lora_B.weight");
  EXPECT_EQ(slots[0].tensor->sizes(), at::IntArrayRef({3, 32}));
  EXPECT_NEAR(slots[0].tensor->std().item<double>(), 1.0 / 3, 0.08);
  merge_adapters(model);
  EXPECT_TRUE(same_bits(outputs(model), before));
  Bagel other = tiny_bagel();
  const std::vector<ParameterSlot> again =
      attach_adapters(other, {.rank = 3, .alpha = 6, .targets = {"*moe_gen*", "!*mlp*"}}, 3);
  ASSERT_EQ(again.size(), 16u);
  EXPECT_EQ(again[0].name, "language_model.model.layers.0.self_attn.q_proj_moe_gen.lora_A.weight");
  EXPECT_TRUE(same_bits(*again[0].tensor, *slots[14].tensor));  // whatever else has one
}

TEST(AdaptersTest, MergedForwardIsTheSumOfBothProducts) {
  const Linear plain{numbers(1, {24, 20}).to(at::kDouble), numbers(2, {24}).to(at::kDouble)};
  const Tensor x = numbers(3, {17, 20}).to(at::kDouble);
  const Tensor down = numbers(4, {3, 20}).to(at::kDouble), up = numbers(5, {24, 3}).to(at::kDouble);
  const Tensor merged = plain.weight + 2.0 * at::mm(up, down);
  const Linear adapted{merged, plain.bias, std::make_shared<Adapter>(Adapter{down, up, 2.0, plain.weight})};
  const Tensor expected = linear(x, plain) + 2.0 * at::mm(at::mm(x, down.t()), up.t());
  EXPECT_TRUE(at::allclose(linear(x, adapted), expected, 1e-12, 1e-12));
}

/** The gradients are those of autograd through base + scale up down, in float64. */
TEST(AdaptersTest, GradientsAreThoseOfTheProduct) {
  const auto leaf = [](uint64_t address, at::IntArrayRef shape) {
    return numbers(address, shape).to(at::kDouble).requires_grad_(true);
  };
  const Tensor base = numbers(1, {24, 20}).to(at::kDouble), bias = numbers(2, {24}).to(at::kDouble);
  const Tensor x = leaf(3, {7, 20}), down = leaf(4, {3, 20}), up = leaf(5, {24, 3});
  const Tensor weights = numbers(6, {7, 24}).to(at::kDouble);
  const Tensor expected_loss = (at::linear(x, base + 2.0 * at::mm(up, down), bias) * weights).sin().sum();
  const auto expected = torch::autograd::grad({expected_loss}, {x, down, up});
  const Tensor merged = (base + 2.0 * at::mm(up, down)).detach();
  const Linear adapted{merged, bias, std::make_shared<Adapter>(Adapter{down, up, 2.0, base})};
  const Tensor loss = (linear(x, adapted) * weights).sin().sum();
  const auto gradients = torch::autograd::grad({loss}, {x, down, up});
  for (size_t i = 0; i < 3; ++i) EXPECT_TRUE(at::allclose(gradients[i], expected[i], 1e-11, 1e-12)) << i;
}

/** A rollout, which runs without gradients, and the training pass compute the same bits. */
TEST(AdaptersTest, RolloutAndTrainingComputeTheSame) {
  for (const at::ScalarType type : {at::kFloat, at::kBFloat16}) {
    Bagel model = tiny_bagel(type);
    const std::vector<ParameterSlot> slots = attach_adapters(model, kOptions, 3);
    stir_adapters(slots);
    merge_adapters(model);
    for (const ParameterSlot& slot : slots) slot.tensor->requires_grad_(true);
    const Tensor training = outputs(model);
    EXPECT_TRUE(training.requires_grad());
    const at::NoGradGuard no_grad;
    EXPECT_TRUE(same_bits(outputs(model), training.detach()));
  }
}

TEST(AdaptersTest, TheReferenceIsTheFrozenModel) {
  Bagel model = tiny_bagel();
  const Tensor frozen = outputs(model);
  stir_adapters(attach_adapters(model, kOptions, 3));
  merge_adapters(model);
  const Tensor live = outputs(model);
  EXPECT_GT((live - frozen).abs().max().item<double>(), 1e-3);
  unmerge_adapters(model);
  EXPECT_TRUE(same_bits(outputs(model), frozen));
  merge_adapters(model);
  EXPECT_TRUE(same_bits(outputs(model), live));
}

/** A change of a hundredth of the weights' spacing is lost but for the few weights that it carries over; one of many
 *  spacings is not. */
TEST(AdaptersTest, TellsWhatRoundingLeavesOut) {
  const auto share_for = [](at::ScalarType dtype, double size) {
    Bagel model = tiny_bagel(dtype);
    const at::NoGradGuard no_grad;
    for (const ParameterSlot& slot : attach_adapters(model, kOptions, 3))
      if (slot.name.find("moe_gen") != std::string::npos && slot.name.find("lora_B") != std::string::npos)
        slot.tensor->fill_(size);
    merge_adapters(model);
    const std::map<std::string, double> shares = rounded_away(model);
    EXPECT_EQ(shares.size(), 1u);  // und has not changed
    return shares.at("gen");
  };
  EXPECT_GT(share_for(at::kBFloat16, 1e-5), 0.8);
  EXPECT_LT(share_for(at::kBFloat16, 1), 0.05);
  EXPECT_LT(share_for(at::kFloat, 1), 1e-5);
}

TEST(AdaptersTest, WritesPeftsFolder) {
  const TemporaryFolder folder;
  Bagel model = tiny_bagel();
  const AdapterOptions options = {.rank = 2, .alpha = 4, .targets = {"*0.mlp_moe_gen.up_proj"}};
  const std::vector<ParameterSlot> slots = attach_adapters(model, options, 3);
  stir_adapters(slots);
  save_adapters(folder.path() / "adapter", model, options, "models/base");
  const auto stored = load_tensors(folder.path() / "adapter" / "adapter_model.safetensors");
  ASSERT_EQ(stored.size(), 2u);
  const std::string name = "base_model.model.language_model.model.layers.0.mlp_moe_gen.up_proj.";
  EXPECT_TRUE(same_bits(stored.at(name + "lora_A.weight"), *slots[0].tensor));
  EXPECT_TRUE(same_bits(stored.at(name + "lora_B.weight"), *slots[1].tensor));
  const nlohmann::json config = nlohmann::json::parse(read_file(folder.path() / "adapter" / "adapter_config.json"));
  EXPECT_EQ(config.at("peft_type"), "LORA");
  EXPECT_EQ(config.at("r"), 2);
  EXPECT_EQ(config.at("lora_alpha"), 4);
  EXPECT_EQ(config.at("target_modules"), nlohmann::json({"language_model.model.layers.0.mlp_moe_gen.up_proj"}));
}

TEST(AdaptersTest, NamesWhatCannotBe) {
  Bagel model = tiny_bagel();
  expect_error([&] { attach_adapters(model, {.rank = 2, .alpha = 4, .targets = {"*qproj"}}, 0); }, ExitCode::config,
               {"lora.targets", "'*qproj' matches none", "language_model.model.layers.0.self_attn.q_proj"});
  expect_error([&] { attach_adapters(model, {.rank = 17, .alpha = 4, .targets = {"*k_proj"}}, 0); }, ExitCode::config,
               {"lora.rank", "1 to 16", "17", "k_proj"});
}

}  // namespace
}  // namespace diptych
