#include "diptych/tensor/torch.h"

#include "diptych/train/optimizer/trainable.h"

#include <gtest/gtest.h>

#include <map>
#include <set>

#include "support/expect_error.h"
#include "support/tiny_model.h"

namespace diptych {
namespace {

class TrainableTest : public ::testing::Test {
 protected:
  std::set<std::string> matching(const std::vector<std::string>& patterns) {
    std::set<std::string> names;
    for (const ParameterSlot& slot : matching_slots(transformer_slots(model_), patterns)) names.insert(slot.name);
    return names;
  }

  Bagel model_ = tiny_bagel();
};

TEST_F(TrainableTest, PatternsIncludeAndExclude) {
  const std::set<std::string> layers = matching({"*.layers.*"});
  EXPECT_TRUE(layers.contains("language_model.model.layers.1.mlp_moe_gen.up_proj.weight"));
  EXPECT_TRUE(layers.contains("language_model.model.layers.0.self_attn.q_proj.bias"));
  EXPECT_FALSE(layers.contains("language_model.model.embed_tokens.weight"));
  EXPECT_EQ(matching({"*", "!*.layers.*"}).size() + layers.size(), transformer_slots(model_).size());
  // The place of an exclusion in the list does not matter.
  EXPECT_EQ(matching({"!*moe_gen*", "*.layers.*"}), matching({"*.layers.*", "!*moe_gen*"}));
  EXPECT_EQ(matching({"llm2vae.*", "vae2llm.bias"}),
            (std::set<std::string>{"llm2vae.weight", "llm2vae.bias", "vae2llm.bias"}));
  EXPECT_TRUE(matching({}).empty());
}

TEST_F(TrainableTest, APatternThatMatchesNothingIsAnError) {
  expect_error(
      [&] {
        matching({"*.layers.*", "*.laiers.*"});
      },
      ExitCode::config, {"train.parameters", "'*.laiers.*' matches none", "embed_tokens"});
  EXPECT_NO_THROW(matching({"*.layers.*", "!vision*"}));  // an exclusion may be idle
}

TEST_F(TrainableTest, GroupsFollowTheExperts) {
  const std::vector<ParameterGroup> groups =
      expert_groups(matching_slots(transformer_slots(model_), {"*.layers.*", "llm2vae.*"}), 0.1, 0.2, 3);
  ASSERT_EQ(groups.size(), 2u);
  EXPECT_EQ(groups[0].name, "und");
  EXPECT_EQ(groups[0].learning_rate, 0.1);
  EXPECT_EQ(groups[1].name, "gen");
  EXPECT_EQ(groups[1].learning_rate, 0.2);
  for (const ParameterGroup& group : groups) {
    EXPECT_EQ(group.max_grad_norm, 3);
    for (const NamedTensor& parameter : group.parameters) {
      EXPECT_EQ(is_generation_expert(parameter.name), group.name == "gen") << parameter.name;
      EXPECT_TRUE(parameter.tensor.requires_grad());
    }
  }
  EXPECT_EQ(all_parameters(groups).size(), groups[0].parameters.size() + groups[1].parameters.size());
  // The groups hold the model's own tensors.
  EXPECT_TRUE(model_.llm2vae.weight.requires_grad());
  EXPECT_FALSE(model_.embed_tokens.requires_grad());
  EXPECT_FALSE(model_.decoder.und_norm.weight.requires_grad());
}

TEST_F(TrainableTest, ALearningRateOfZeroFreezes) {
  const std::vector<ParameterGroup> groups =
      expert_groups(matching_slots(transformer_slots(model_), {"*.layers.*"}), 0, 0.2, 1);
  ASSERT_EQ(groups.size(), 1u);
  EXPECT_EQ(groups[0].name, "gen");
  EXPECT_FALSE(model_.decoder.layers[0].und.query.weight.requires_grad());
  EXPECT_TRUE(model_.decoder.layers[0].gen.query.weight.requires_grad());
}

TEST(DecoderLayerTest, IsToldByTheOfficialName) {
  EXPECT_EQ(decoder_layer_of("language_model.model.layers.27.mlp_moe_gen.up_proj.weight"), 27U);
  EXPECT_EQ(decoder_layer_of("language_model.model.norm.weight"), std::nullopt);
  EXPECT_EQ(decoder_layer_of("vit_model.vision_model.encoder.layers.3.layer_norm1.bias"), std::nullopt);
}

TEST_F(TrainableTest, SomethingMustTrain) {
  const std::vector<ParameterSlot> slots = matching_slots(transformer_slots(model_), {"*.layers.*", "!*moe_gen*"});
  expect_error([&] { expert_groups(slots, 0, 0.2, 1); }, ExitCode::config, {"train.parameters", "learning rate"});
}

/** So that the gradients of the last layer, of both experts, are complete while a backward pass is under way. */
TEST_F(TrainableTest, ParametersByLayerHoldTheExpertsOfALayerTogether) {
  const std::vector<ParameterGroup> groups =
      expert_groups(matching_slots(transformer_slots(model_), {"language_model.model.layers.*", "llm2vae.*"}), 1, 1, 0);
  std::map<const void*, std::string> names;
  for (const NamedTensor& parameter : all_parameters(groups)) names[parameter.tensor.const_data_ptr()] = parameter.name;
  std::vector<std::string> order;
  for (const Tensor& parameter : parameters_by_layer(groups)) order.push_back(names.at(parameter.const_data_ptr()));
  ASSERT_EQ(order.size(), names.size());
  const auto layer = [](const std::string& name) { return static_cast<int>(decoder_layer_of(name).value_or(99)); };
  EXPECT_EQ(layer(order[0]), 99);
  EXPECT_EQ(layer(order[1]), 99);
  for (size_t i = 3; i < order.size(); ++i) EXPECT_LE(layer(order[i - 1]), layer(order[i])) << order[i];
  EXPECT_EQ(std::set<std::string>(order.begin(), order.end()).size(), order.size());
}

}  // namespace
}  // namespace diptych
