#include "diptych/model/bagel/vit.h"

#include <numeric>

#include "diptych/model/attention/attention.h"

namespace diptych {

namespace {

Tensor self_attention(const VitLayer& layer, int64_t heads, const AttentionPlan& plan, const Tensor& x) {
  const auto by_head = [&](const Linear& projection) {
    return linear(x, projection).view({x.size(0), heads, x.size(1) / heads});
  };
  return linear(attend(plan, by_head(layer.query), by_head(layer.key), by_head(layer.value)), layer.output);
}

Tensor mlp(const VitLayer& layer, const Tensor& x) {
  return linear(at::gelu(linear(x, layer.mlp_in), "tanh"), layer.mlp_out);
}

VitLayer make_layer(const VitConfig& config) {
  return {.norm_before_attention = make_layer_norm(config.hidden, config.layer_norm_eps),
          .query = make_linear(config.hidden, config.hidden, true),
          .key = make_linear(config.hidden, config.hidden, true),
          .value = make_linear(config.hidden, config.hidden, true),
          .output = make_linear(config.hidden, config.hidden, true),
          .norm_before_mlp = make_layer_norm(config.hidden, config.layer_norm_eps),
          .mlp_in = make_linear(config.hidden, config.mlp, true),
          .mlp_out = make_linear(config.mlp, config.hidden, true)};
}

}  // namespace

Vit make_vit(const ModelConfig& config) {
  const int64_t places = config.vit_max_patches_per_side * config.vit_max_patches_per_side;
  const at::TensorOptions meta = at::TensorOptions().device(at::kMeta);
  Vit vit;
  vit.patch_embedding = make_linear(config.vit.patch * config.vit.patch * 3, config.vit.hidden, true);
  vit.position_embedding = at::empty({places, config.vit.hidden}, meta);
  for (int64_t i = 0; i < config.vit.layers; ++i) vit.layers.push_back(make_layer(config.vit));
  vit.norm_after = make_layer_norm(config.vit.hidden, config.vit.layer_norm_eps);
  vit.connector_in = make_linear(config.vit.hidden, config.hidden, true);
  vit.connector_out = make_linear(config.hidden, config.hidden, true);
  vit.pos_embed = at::empty({places, config.hidden}, meta);
  return vit;
}

void collect(std::vector<ParameterSlot>& slots, Vit& vit) {
  const std::string root = "vit_model.vision_model.";
  collect(slots, root + "embeddings.patch_embedding", vit.patch_embedding);
  slots.push_back({root + "embeddings.position_embedding.weight", &vit.position_embedding});
  for (size_t i = 0; i < vit.layers.size(); ++i) {
    const std::string prefix = root + "encoder.layers." + std::to_string(i) + ".";
    VitLayer& layer = vit.layers[i];
    collect(slots, prefix + "layer_norm1", layer.norm_before_attention);
    collect(slots, prefix + "self_attn.q_proj", layer.query);
    collect(slots, prefix + "self_attn.k_proj", layer.key);
    collect(slots, prefix + "self_attn.v_proj", layer.value);
    collect(slots, prefix + "self_attn.out_proj", layer.output);
    collect(slots, prefix + "layer_norm2", layer.norm_before_mlp);
    collect(slots, prefix + "mlp.fc1", layer.mlp_in);
    collect(slots, prefix + "mlp.fc2", layer.mlp_out);
  }
  collect(slots, root + "post_layernorm", vit.norm_after);
  collect(slots, "connector.fc1", vit.connector_in);
  collect(slots, "connector.fc2", vit.connector_out);
  slots.push_back({"vit_pos_embed.pos_embed", &vit.pos_embed});
}

Tensor vit_forward(const Vit& vit, const ModelConfig& config, const Tensor& patches, const Tensor& position_ids,
                   const std::vector<int64_t>& lengths) {
  TORCH_CHECK(std::accumulate(lengths.begin(), lengths.end(), int64_t{0}) == patches.size(0) &&
                  position_ids.size(0) == patches.size(0),
              "vit_forward: lengths, position ids and patches disagree");
  const AttentionPlan plan =
      plan_attention(whole_blocks(lengths), patches.size(0), config.vit.hidden / config.vit.heads, patches.options());
  Tensor x = linear(patches, vit.patch_embedding) + vit.position_embedding.index_select(0, position_ids);
  for (const VitLayer& layer : vit.layers) {
    x = x + self_attention(layer, config.vit.heads, plan, layer_norm(x, layer.norm_before_attention));
    x = x + mlp(layer, layer_norm(x, layer.norm_before_mlp));
  }
  return layer_norm(x, vit.norm_after);
}

Tensor connect(const Vit& vit, const Tensor& features) {
  return linear(at::gelu(linear(features, vit.connector_in), "tanh"), vit.connector_out);
}

}  // namespace diptych
