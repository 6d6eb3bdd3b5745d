// The preset bagel-7b against the names, shapes and counts of the published model (bagel.md 10 and 11). No weights.

#include "diptych/tensor/torch.h"

#include <gtest/gtest.h>

#include "diptych/base/config/config.h"
#include "diptych/base/text_format.h"
#include "diptych/model/folder/inspection.h"
#include "diptych/model/folder/preset.h"
#include "support/expect_error.h"

namespace diptych {
namespace {

using Shapes = std::map<std::string, std::vector<int64_t>>;

void add_with_bias(Shapes& shapes, const std::string& name, const std::vector<int64_t>& shape) {
  shapes[name + ".weight"] = shape;
  shapes[name + ".bias"] = {shape.front()};
}

void add_expert(Shapes& shapes, const std::string& layer, const std::string& suffix) {
  for (const char* norm : {"input_layernorm", "post_attention_layernorm"})
    shapes[cat(layer, norm, suffix, ".weight")] = {3584};
  const std::string attention = layer + "self_attn.";
  add_with_bias(shapes, cat(attention, "q_proj", suffix), {3584, 3584});
  for (const char* name : {"k_proj", "v_proj"}) add_with_bias(shapes, cat(attention, name, suffix), {512, 3584});
  shapes[cat(attention, "o_proj", suffix, ".weight")] = {3584, 3584};
  for (const char* name : {"q_norm", "k_norm"}) shapes[cat(attention, name, suffix, ".weight")] = {128};
  for (const char* name : {"gate_proj", "up_proj"})
    shapes[cat(layer, "mlp", suffix, '.', name, ".weight")] = {18944, 3584};
  shapes[cat(layer, "mlp", suffix, ".down_proj.weight")] = {3584, 18944};
}

void add_vit(Shapes& shapes) {
  const std::string root = "vit_model.vision_model.";
  add_with_bias(shapes, root + "embeddings.patch_embedding", {1152, 588});
  shapes[root + "embeddings.position_embedding.weight"] = {4900, 1152};
  add_with_bias(shapes, root + "post_layernorm", {1152});
  for (int i = 0; i < 26; ++i) {
    const std::string layer = cat(root, "encoder.layers.", i, '.');
    for (const char* name : {"layer_norm1", "layer_norm2"}) add_with_bias(shapes, layer + name, {1152});
    for (const char* name : {"q_proj", "k_proj", "v_proj", "out_proj"})
      add_with_bias(shapes, cat(layer, "self_attn.", name), {1152, 1152});
    add_with_bias(shapes, layer + "mlp.fc1", {4304, 1152});
    add_with_bias(shapes, layer + "mlp.fc2", {1152, 4304});
  }
}

/** bagel.md 10.1. */
Shapes published_transformer() {
  Shapes shapes;
  const std::string root = "language_model.model.";
  shapes[root + "embed_tokens.weight"] = shapes["language_model.lm_head.weight"] = {152064, 3584};
  for (const char* suffix : {"", "_moe_gen"}) {
    shapes[cat(root, "norm", suffix, ".weight")] = {3584};
    for (int i = 0; i < 28; ++i) add_expert(shapes, cat(root, "layers.", i, '.'), suffix);
  }
  add_with_bias(shapes, "vae2llm", {3584, 64});
  add_with_bias(shapes, "llm2vae", {64, 3584});
  add_with_bias(shapes, "time_embedder.mlp.0", {3584, 256});
  add_with_bias(shapes, "time_embedder.mlp.2", {3584, 3584});
  shapes["latent_pos_embed.pos_embed"] = {4096, 3584};
  shapes["vit_pos_embed.pos_embed"] = {4900, 3584};
  add_with_bias(shapes, "connector.fc1", {3584, 1152});
  add_with_bias(shapes, "connector.fc2", {3584, 3584});
  add_vit(shapes);
  return shapes;
}

void add_block(Shapes& shapes, const std::string& block, int64_t in, int64_t out) {
  add_with_bias(shapes, block + ".norm1", {in});
  add_with_bias(shapes, block + ".conv1", {out, in, 3, 3});
  add_with_bias(shapes, block + ".norm2", {out});
  add_with_bias(shapes, block + ".conv2", {out, out, 3, 3});
  if (in != out) add_with_bias(shapes, block + ".nin_shortcut", {out, in, 1, 1});
}

void add_middle(Shapes& shapes, const std::string& root) {
  add_block(shapes, root + "mid.block_1", 512, 512);
  add_block(shapes, root + "mid.block_2", 512, 512);
  add_with_bias(shapes, root + "mid.attn_1.norm", {512});
  for (const char* name : {"q", "k", "v", "proj_out"})
    add_with_bias(shapes, cat(root, "mid.attn_1.", name), {512, 512, 1, 1});
}

/** bagel.md 10.2. */
Shapes published_autoencoder() {
  Shapes shapes;
  const std::vector<int64_t> channels = {128, 256, 512, 512};
  add_with_bias(shapes, "encoder.conv_in", {128, 3, 3, 3});
  int64_t width = 128;
  for (size_t level = 0; level < 4; ++level) {
    for (int block = 0; block < 2; ++block) {
      add_block(shapes, cat("encoder.down.", level, ".block.", block), width, channels[level]);
      width = channels[level];
    }
    if (level < 3) add_with_bias(shapes, cat("encoder.down.", level, ".downsample.conv"), {width, width, 3, 3});
  }
  add_middle(shapes, "encoder.");
  add_with_bias(shapes, "encoder.norm_out", {512});
  add_with_bias(shapes, "encoder.conv_out", {32, 512, 3, 3});
  add_with_bias(shapes, "decoder.conv_in", {512, 16, 3, 3});
  add_middle(shapes, "decoder.");
  for (size_t level = 4; level-- > 0;) {
    for (int block = 0; block < 3; ++block) {
      add_block(shapes, cat("decoder.up.", level, ".block.", block), width, channels[level]);
      width = channels[level];
    }
    if (level > 0) add_with_bias(shapes, cat("decoder.up.", level, ".upsample.conv"), {width, width, 3, 3});
  }
  add_with_bias(shapes, "decoder.norm_out", {128});
  add_with_bias(shapes, "decoder.conv_out", {3, 128, 3, 3});
  return shapes;
}

class Bagel7b : public ::testing::Test {
 protected:
  static void expect_shapes(const std::vector<ParameterSlot>& slots, const Shapes& published) {
    EXPECT_EQ(slots.size(), published.size());
    for (const ParameterSlot& slot : slots) {
      ASSERT_TRUE(slot.tensor->is_meta());
      ASSERT_TRUE(published.contains(slot.name)) << slot.name;
      EXPECT_EQ(slot.tensor->sizes(), at::IntArrayRef(published.at(slot.name))) << slot.name;
    }
  }
  std::map<std::string, int64_t> parameters(const std::vector<ParameterSlot>& slots) {
    std::map<std::string, int64_t> counts;
    for (const ParameterSlot& slot : slots) {
      counts[component_of(slot.name)] += slot.tensor->numel();
      counts["together"] += slot.tensor->numel();
    }
    return counts;
  }

  const ModelRecipe recipe_ = model_preset("bagel-7b");
  Bagel model_ = make_bagel(recipe_.config);
};

TEST_F(Bagel7b, NamesAndShapesAreThePublishedOnes) {
  const Shapes transformer = published_transformer(), autoencoder = published_autoencoder();
  EXPECT_EQ(transformer.size(), 1223u);
  EXPECT_EQ(autoencoder.size(), 244u);
  expect_shapes(transformer_slots(model_), transformer);
  expect_shapes(autoencoder_slots(model_), autoencoder);
}

TEST_F(Bagel7b, ParametersAddUpToThePublishedCounts) {
  const std::map<std::string, int64_t> counts = parameters(transformer_slots(model_));
  EXPECT_EQ(counts.at("word embedding"), 544'997'376);
  EXPECT_EQ(counts.at("text head"), 544'997'376);
  EXPECT_EQ(counts.at("understanding expert"), 6'525'625'344 + 3584);  // and its last norm
  EXPECT_EQ(counts.at("generation expert"), 6'525'628'928);
  EXPECT_EQ(counts.at("connectors"), 232'960 + 229'440 + 16'980'992);
  EXPECT_EQ(counts.at("time embedder"), 13'769'728);
  EXPECT_EQ(counts.at("position tables"), 14'680'064 + 17'561'600);
  EXPECT_EQ(counts.at("ViT"), 402'552'736);
  EXPECT_EQ(counts.at("together"), 14'607'260'128);
  EXPECT_EQ(parameters(autoencoder_slots(model_)).at("autoencoder"), 83'819'683);
  EXPECT_EQ(counts.size(), 9u);  // nothing is unknown
}

TEST_F(Bagel7b, PresetIsAnOrdinaryRecipe) {
  EXPECT_EQ(recipe_.dtype, "bfloat16");
  EXPECT_EQ(recipe_.config.vocabulary, 152064);
  const ModelRecipe small = override_config(recipe_, {"model.layers=2", "model.vae.channels=32", "seed=3"});
  EXPECT_EQ(small.config.layers, 2);
  EXPECT_EQ(small.config.vae.channels, 32);
  EXPECT_EQ(small.seed, 3);
  EXPECT_EQ(small.config.hidden, 3584);
  expect_error([&] { override_config(recipe_, {"model.layer=2"}); }, ExitCode::config, {"model.layers"});
  expect_error([] { model_preset("bagel-8b"); }, ExitCode::config, {"bagel-7b", "bagel-8b"});
}

}  // namespace
}  // namespace diptych
