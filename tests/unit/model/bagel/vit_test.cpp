#include "diptych/model/bagel/vit.h"

#include <gtest/gtest.h>

#include <numeric>

#include "diptych/tensor/image_tensor.h"
#include "support/compare.h"
#include "unit/model/model_fixture.h"

namespace diptych {
namespace {

class VitTest : public ::testing::Test {
 protected:
  void SetUp() override {
    vit_ = make_vit(config_);
    std::vector<ParameterSlot> slots;
    collect(slots, vit_);
    fill_slots(slots, load_tensors(bagel_fixture("checkpoint/ema.safetensors")));
    const Tensor counts = expected_.at("in.vit_token_seqlens");
    lengths_ = {counts.const_data_ptr<int64_t>(), counts.const_data_ptr<int64_t>() + counts.numel()};
  }

  Tensor run(const std::vector<int64_t>& order) const {
    std::vector<Tensor> patches, ids;
    std::vector<int64_t> lengths;
    for (const int64_t image : order) {
      const int64_t begin = std::accumulate(lengths_.begin(), lengths_.begin() + image, int64_t{0});
      patches.push_back(expected_.at("in.packed_vit_tokens").narrow(0, begin, lengths_[image]));
      ids.push_back(expected_.at("in.packed_vit_position_ids").narrow(0, begin, lengths_[image]));
      lengths.push_back(lengths_[image]);
    }
    return vit_forward(vit_, config_, at::cat(patches), at::cat(ids), lengths);
  }

  const std::map<std::string, Tensor> expected_ = load_tensors(bagel_fixture("03_vit_prefill.safetensors"));
  const ModelConfig config_ = load_model_config(bagel_fixture("checkpoint"));
  Vit vit_;
  std::vector<int64_t> lengths_;
};

TEST_F(VitTest, TheDefaultsHaveThePublishedParameterCount) {
  Vit vit = make_vit(ModelConfig{});
  std::vector<ParameterSlot> slots;
  collect(slots, vit);
  int64_t parameters = 0;
  for (const ParameterSlot& slot : slots) parameters += slot.tensor->numel();
  EXPECT_EQ(parameters, 437095328);  // of ViT, connector and position table
}

TEST_F(VitTest, PatchesAreThoseOfTheReference) {
  std::vector<Tensor> patches;
  for (size_t i = 0; i < lengths_.size(); ++i)
    patches.push_back(patchify_rgb(expected_.at("in.image" + std::to_string(i) + "_pixels"), config_.vit.patch));
  EXPECT_TRUE(same_bits(at::cat(patches), expected_.at("in.packed_vit_tokens")));
}

TEST_F(VitTest, FeaturesAndConnectorMatchTheReference) {
  const Tensor& ids = expected_.at("in.packed_vit_position_ids");
  const Tensor features = vit_forward(vit_, config_, expected_.at("in.packed_vit_tokens"), ids, lengths_);
  EXPECT_TRUE(close(features, expected_.at("out.siglip"), {.absolute = 3e-5}));
  const Tensor connected = connect(vit_, features);
  EXPECT_TRUE(close(connected, expected_.at("out.connector"), {.absolute = 3e-5}));
  EXPECT_TRUE(close(connected + vit_.pos_embed.index_select(0, ids), expected_.at("out.connector_plus_pos"),
                    {.absolute = 3e-5}));
}

TEST_F(VitTest, AnImageDoesNotDependOnItsNeighbours) {
  for (size_t i = 0; i < lengths_.size(); ++i) {
    const auto image = static_cast<int64_t>(i);
    const Tensor alone = run({image});
    EXPECT_TRUE(same_bits(run({image, image, image}).narrow(0, lengths_[i], lengths_[i]), alone)) << image;
  }
  const Tensor mixed = run({1, 0, 1});
  EXPECT_TRUE(same_bits(mixed.narrow(0, 0, lengths_[1]), run({1})));
  EXPECT_TRUE(same_bits(mixed.narrow(0, lengths_[1], lengths_[0]), run({0})));
  EXPECT_TRUE(same_bits(mixed.narrow(0, lengths_[1] + lengths_[0], lengths_[1]), run({1})));
}

}  // namespace
}  // namespace diptych
