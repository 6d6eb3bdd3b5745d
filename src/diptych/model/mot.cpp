#include "diptych/model/mot.h"

#include "diptych/model/attention.h"
#include "diptych/model/config.h"
#include "diptych/model/rotary.h"

namespace diptych {

namespace {

struct Heads {
  Tensor query;  // [rows, H, d], rotated
  Tensor key;    // [rows, K, d], rotated
  Tensor value;  // [rows, K, d]
};

ExpertLayer make_expert(const ModelConfig& config) {
  const int64_t query_width = config.heads * config.head_dim;
  const int64_t key_width = config.kv_heads * config.head_dim;
  ExpertLayer expert;
  expert.input_norm = make_rms_norm(config.hidden);
  expert.query = make_linear(config.hidden, query_width, true);
  expert.key = make_linear(config.hidden, key_width, true);
  expert.value = make_linear(config.hidden, key_width, true);
  expert.query_norm = make_rms_norm(config.head_dim);
  expert.key_norm = make_rms_norm(config.head_dim);
  expert.output = make_linear(query_width, config.hidden, false);
  expert.post_norm = make_rms_norm(config.hidden);
  expert.gate = make_linear(config.hidden, config.mlp, false);
  expert.up = make_linear(config.hidden, config.mlp, false);
  expert.down = make_linear(config.mlp, config.hidden, false);
  return expert;
}

// The suffix stands on the linear for attention, but on the module for the MLP (bagel.md 10.1, naming trap).
void collect_expert(std::vector<ParameterSlot>& slots, const std::string& prefix, const std::string& suffix,
                    ExpertLayer& expert) {
  collect(slots, prefix + "input_layernorm" + suffix, expert.input_norm);
  collect(slots, prefix + "self_attn.q_proj" + suffix, expert.query);
  collect(slots, prefix + "self_attn.k_proj" + suffix, expert.key);
  collect(slots, prefix + "self_attn.v_proj" + suffix, expert.value);
  collect(slots, prefix + "self_attn.q_norm" + suffix, expert.query_norm);
  collect(slots, prefix + "self_attn.k_norm" + suffix, expert.key_norm);
  collect(slots, prefix + "self_attn.o_proj" + suffix, expert.output);
  collect(slots, prefix + "post_attention_layernorm" + suffix, expert.post_norm);
  collect(slots, prefix + "mlp" + suffix + ".gate_proj", expert.gate);
  collect(slots, prefix + "mlp" + suffix + ".up_proj", expert.up);
  collect(slots, prefix + "mlp" + suffix + ".down_proj", expert.down);
}

Heads project(const ExpertLayer& expert, const ModelConfig& config, const Tensor& rows, const Rotation& angles) {
  const Tensor normed = rms_norm(rows, expert.input_norm.weight, config.rms_eps);
  const int64_t count = rows.size(0);
  const Tensor query = linear(normed, expert.query).view({count, config.heads, config.head_dim});
  const Tensor key = linear(normed, expert.key).view({count, config.kv_heads, config.head_dim});
  return {norm_rotate(query, expert.query_norm, config.rms_eps, angles),
          norm_rotate(key, expert.key_norm, config.rms_eps, angles),
          linear(normed, expert.value).view({count, config.kv_heads, config.head_dim})};
}

Tensor joined(const Tensor& und, const Tensor& gen) {
  if (gen.size(0) == 0) return und;
  if (und.size(0) == 0) return gen;
  return at::cat({und, gen});
}

Heads project_both(const MotLayer& layer, const ModelConfig& config, const Streams& streams, const Rotation& angles) {
  const int64_t und_rows = streams.und.size(0), gen_rows = streams.gen.size(0);
  if (gen_rows == 0) return project(layer.und, config, streams.und, angles);
  const Heads und = project(layer.und, config, streams.und, narrow(angles, 0, und_rows));
  const Heads gen = project(layer.gen, config, streams.gen, narrow(angles, und_rows, gen_rows));
  return {joined(und.query, gen.query), joined(und.key, gen.key), joined(und.value, gen.value)};
}

// Where the attention reads keys from (PackLayout): the cache after the new rows were written, or the pack itself with
// detached copies behind.
Tensor key_source(const Tensor& fresh, Tensor* storage, int64_t cache_begin, bool detached) {
  if (storage != nullptr) {
    storage->narrow(0, cache_begin, fresh.size(0)).copy_(fresh);
    return *storage;
  }
  return detached ? at::cat({fresh, fresh.detach()}) : fresh;
}

Tensor mlp(const ExpertLayer& expert, const ModelConfig& config, const Tensor& rows) {
  const Tensor normed = rms_norm(rows, expert.post_norm.weight, config.rms_eps);
  return linear(silu_mul(linear(normed, expert.gate), linear(normed, expert.up)), expert.down);
}

Tensor after_attention(const ExpertLayer& expert, const ModelConfig& config, const Tensor& rows,
                       const Tensor& attention) {
  if (rows.size(0) == 0) return rows;
  const Tensor residual = rows + linear(attention, expert.output);
  return residual + mlp(expert, config, residual);
}

}  // namespace

MotDecoder make_decoder(const ModelConfig& config) {
  MotDecoder decoder;
  for (int64_t i = 0; i < config.layers; ++i) decoder.layers.push_back({make_expert(config), make_expert(config)});
  decoder.und_norm = make_rms_norm(config.hidden);
  decoder.gen_norm = make_rms_norm(config.hidden);
  return decoder;
}

void collect(std::vector<ParameterSlot>& slots, MotDecoder& decoder) {
  const std::string root = "language_model.model.";
  for (size_t i = 0; i < decoder.layers.size(); ++i) {
    const std::string prefix = root + "layers." + std::to_string(i) + ".";
    collect_expert(slots, prefix, "", decoder.layers[i].und);
    collect_expert(slots, prefix, "_moe_gen", decoder.layers[i].gen);
  }
  collect(slots, root + "norm", decoder.und_norm);
  collect(slots, root + "norm_moe_gen", decoder.gen_norm);
}

Streams decoder_forward(const MotDecoder& decoder, const ModelConfig& config, const PackLayout& layout, Streams streams,
                        KvCache* cache, const LayerTap& tap) {
  const Rotation angles = rotation(layout.positions, config.head_dim, config.rope_theta, streams.und.options());
  const AttentionPlan plan = plan_attention(layout.blocks, layout.total_rows(), streams.und.options());
  const int64_t begin = cache == nullptr ? 0 : cache->used;
  for (size_t i = 0; i < decoder.layers.size(); ++i) {
    const MotLayer& layer = decoder.layers[i];
    const Heads heads = project_both(layer, config, streams, angles);
    const Tensor keys = key_source(heads.key, cache ? &cache->keys[i] : nullptr, begin, layout.detached);
    const Tensor values = key_source(heads.value, cache ? &cache->values[i] : nullptr, begin, layout.detached);
    const Tensor attention = attend(plan, heads.query, keys, values);
    const int64_t und_rows = streams.und.size(0);
    streams.und = after_attention(layer.und, config, streams.und, attention.narrow(0, 0, und_rows));
    streams.gen = after_attention(layer.gen, config, streams.gen, attention.narrow(0, und_rows, streams.gen.size(0)));
    if (tap) tap(static_cast<int64_t>(i), streams);
  }
  streams.und = rms_norm(streams.und, decoder.und_norm.weight, config.rms_eps);
  if (streams.gen.size(0) > 0) streams.gen = rms_norm(streams.gen, decoder.gen_norm.weight, config.rms_eps);
  return streams;
}

}  // namespace diptych
