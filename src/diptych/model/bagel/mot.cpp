#include "diptych/model/bagel/mot.h"

#include <torch/csrc/autograd/functions/utils.h>

#include <algorithm>
#include <array>

#include "diptych/model/attention/attention.h"
#include "diptych/model/config/model_config.h"
#include "diptych/model/layers/rotary.h"
#include "diptych/tensor/autograd.h"

namespace diptych {

namespace {

using torch::autograd::variable_list;

const std::string kRoot = "language_model.model.";

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
std::array<NamedLinear, 7> expert_linears(const std::string& prefix, const std::string& suffix, ExpertLayer& expert) {
  return {{{prefix + "self_attn.q_proj" + suffix, &expert.query},
           {prefix + "self_attn.k_proj" + suffix, &expert.key},
           {prefix + "self_attn.v_proj" + suffix, &expert.value},
           {prefix + "self_attn.o_proj" + suffix, &expert.output},
           {prefix + "mlp" + suffix + ".gate_proj", &expert.gate},
           {prefix + "mlp" + suffix + ".up_proj", &expert.up},
           {prefix + "mlp" + suffix + ".down_proj", &expert.down}}};
}

void collect_expert(std::vector<ParameterSlot>& slots, const std::string& prefix, const std::string& suffix,
                    ExpertLayer& expert) {
  const std::array<NamedLinear, 7> linears = expert_linears(prefix, suffix, expert);
  const auto collect_linears = [&](size_t begin, size_t end) {
    for (size_t i = begin; i < end; ++i) collect(slots, linears[i].name, *linears[i].layer);
  };
  collect(slots, prefix + "input_layernorm" + suffix, expert.input_norm);
  collect_linears(0, 3);
  collect(slots, prefix + "self_attn.q_norm" + suffix, expert.query_norm);
  collect(slots, prefix + "self_attn.k_norm" + suffix, expert.key_norm);
  collect_linears(3, 4);
  collect(slots, prefix + "post_attention_layernorm" + suffix, expert.post_norm);
  collect_linears(4, 7);
}

std::string layer_prefix(size_t layer) {
  return kRoot + "layers." + std::to_string(layer) + ".";
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

// What all layers of a pass share.
struct DecoderPass {
  ModelConfig config;
  Rotation angles;
  AttentionPlan plan;
  bool detached = false;
};

Streams layer_forward(const MotLayer& layer, const DecoderPass& pass, const Streams& streams, Tensor* cached_keys,
                      Tensor* cached_values, int64_t cache_begin) {
  const Heads heads = project_both(layer, pass.config, streams, pass.angles);
  const Tensor keys = key_source(heads.key, cached_keys, cache_begin, pass.detached);
  const Tensor values = key_source(heads.value, cached_values, cache_begin, pass.detached);
  const Tensor attention = attend(pass.plan, heads.query, keys, values);
  const int64_t und_rows = streams.und.size(0), gen_rows = streams.gen.size(0);
  return {after_attention(layer.und, pass.config, streams.und, attention.narrow(0, 0, und_rows)),
          after_attention(layer.gen, pass.config, streams.gen, attention.narrow(0, und_rows, gen_rows))};
}

// Weights that were dealt over ranks (LayerKeeper) may have no memory.
bool is_here(const MotLayer& layer) {
  for (const ExpertLayer* expert : {&layer.und, &layer.gen})
    for (const Linear* linear :
         {&expert->query, &expert->key, &expert->value, &expert->output, &expert->gate, &expert->up, &expert->down})
      if (!linear->weight.is_meta() && linear->weight.storage().nbytes() == 0) return false;
  return true;
}

// A layer that keeps its input only. The weights are inputs too, so that their gradients come out of the backward pass
// like those of any other function, whatever the residual stream needs, or go to the keeper. A Node, since
// torch::autograd::Function takes no lists of tensors.
class RecomputedLayer : public torch::autograd::Node {
 public:
  RecomputedLayer(const MotDecoder& decoder, size_t number, std::shared_ptr<const DecoderPass> pass,
                  const Streams& streams)
      : layer_(decoder.layers[number]),
        number_(number),
        keeper_(decoder.keeper),
        pass_(std::move(pass)),
        und_(streams.und.detach()),
        gen_(streams.gen.detach()),
        weights_(trained_weights(layer_)) {}

  static Streams run(const MotDecoder& decoder, size_t number, std::shared_ptr<const DecoderPass> pass,
                     const Streams& streams) {
    const auto node = make_node<decltype(torch::autograd::Edge::function)>(decoder, number, std::move(pass), streams);
    auto& self = static_cast<RecomputedLayer&>(*node);
    variable_list inputs = {streams.und, streams.gen};
    inputs.insert(inputs.end(), self.weights_.begin(), self.weights_.end());
    Streams out;
    {
      const at::NoGradGuard no_grad;
      if (self.keeper_) self.keeper_->enter(number);
      out = layer_forward(self.layer_, *self.pass_, streams, nullptr, nullptr, 0);
      if (self.keeper_) self.keeper_->leave(number);
    }
    if (!torch::autograd::any_variable_requires_grad(inputs)) return out;
    node->set_next_edges(torch::autograd::collect_next_edges(inputs));
    // Views of the input would be taken for outputs of this node.
    out = {out.und.is_same(streams.und) ? out.und.clone() : out.und,
           out.gen.is_same(streams.gen) ? out.gen.clone() : out.gen};
    torch::autograd::set_history(out.und, node);
    torch::autograd::set_history(out.gen, node);
    return out;
  }

  std::string name() const override { return "RecomputedLayer"; }

  void release_variables() override {
    und_.reset();
    gen_.reset();
  }

 protected:
  variable_list apply(variable_list&& upstream) override {
    TORCH_CHECK(und_.defined(), "a recomputed layer can be differentiated once");
    if (!keeper_) return gradients_of(upstream);
    keeper_->enter(number_);
    variable_list result = gradients_of(upstream);
    const auto first = result.begin() + kStreams;
    keeper_->take(number_, {first, result.end()});
    std::fill(first, result.end(), Tensor());
    keeper_->leave(number_);
    return result;
  }

 private:
  static constexpr std::ptrdiff_t kStreams = 2;

  variable_list gradients_of(const variable_list& upstream) {
    variable_list inputs = {und_.detach(), gen_.detach()};
    inputs.insert(inputs.end(), weights_.begin(), weights_.end());
    variable_list wanted;
    std::vector<size_t> places;
    for (size_t i = 0; i < inputs.size(); ++i) {
      if (!task_should_compute_output(i)) continue;
      if (i < kStreams) inputs[i].requires_grad_(true);
      wanted.push_back(inputs[i]);
      places.push_back(i);
    }
    variable_list result(inputs.size());
    const at::AutoGradMode with_gradients(true);
    const Streams again = layer_forward(layer_, *pass_, {inputs[0], inputs[1]}, nullptr, nullptr, 0);
    variable_list outputs, gradients;
    for (const auto& [output, gradient] : {std::pair(again.und, upstream[0]), std::pair(again.gen, upstream[1])}) {
      if (!gradient.defined() || !output.requires_grad()) continue;
      outputs.push_back(output);
      gradients.push_back(gradient);
    }
    if (outputs.empty() || wanted.empty()) return result;
    const variable_list computed =
        torch::autograd::grad(outputs, wanted, gradients, /*retain_graph=*/false, /*create_graph=*/false,
                              /*allow_unused=*/true);
    for (size_t k = 0; k < places.size(); ++k) result[places[k]] = computed[k];
    return result;
  }

  // Older LibTorch holds nodes by shared_ptr, newer by intrusive_ptr.
  template <class Pointer, class... Arguments>
  static Pointer make_node(Arguments&&... arguments) {
    if constexpr (std::is_same_v<Pointer, std::shared_ptr<torch::autograd::Node>>)
      return std::make_shared<RecomputedLayer>(std::forward<Arguments>(arguments)...);
    else
      return c10::make_intrusive<RecomputedLayer>(std::forward<Arguments>(arguments)...);
  }

  MotLayer layer_;
  size_t number_;
  std::shared_ptr<const LayerKeeper> keeper_;
  std::shared_ptr<const DecoderPass> pass_;
  Tensor und_, gen_;
  std::vector<Tensor> weights_;
};

}  // namespace

std::vector<Tensor> trained_weights(MotLayer& layer) {
  std::vector<Tensor> trained;
  std::vector<ParameterSlot> slots;
  for (ExpertLayer* expert : {&layer.und, &layer.gen}) {
    collect_expert(slots, "", "", *expert);
    for (const NamedLinear& linear : expert_linears("", "", *expert))
      if (linear.layer->adapter)
        trained.insert(trained.end(), {linear.layer->adapter->down, linear.layer->adapter->up});
  }
  for (const ParameterSlot& slot : slots)
    if (slot.tensor->requires_grad()) trained.push_back(*slot.tensor);
  return trained;
}

MotDecoder make_decoder(const ModelConfig& config) {
  MotDecoder decoder;
  for (int64_t i = 0; i < config.layers; ++i) decoder.layers.push_back({make_expert(config), make_expert(config)});
  decoder.und_norm = make_rms_norm(config.hidden);
  decoder.gen_norm = make_rms_norm(config.hidden);
  return decoder;
}

void collect(std::vector<ParameterSlot>& slots, MotDecoder& decoder) {
  for (size_t i = 0; i < decoder.layers.size(); ++i) {
    collect_expert(slots, layer_prefix(i), "", decoder.layers[i].und);
    collect_expert(slots, layer_prefix(i), "_moe_gen", decoder.layers[i].gen);
  }
  collect(slots, kRoot + "norm", decoder.und_norm);
  collect(slots, kRoot + "norm_moe_gen", decoder.gen_norm);
}

std::vector<NamedLinear> decoder_linears(MotDecoder& decoder) {
  std::vector<NamedLinear> linears;
  for (size_t i = 0; i < decoder.layers.size(); ++i) {
    for (const NamedLinear& linear : expert_linears(layer_prefix(i), "", decoder.layers[i].und))
      linears.push_back(linear);
    for (const NamedLinear& linear : expert_linears(layer_prefix(i), "_moe_gen", decoder.layers[i].gen))
      linears.push_back(linear);
  }
  return linears;
}

Streams decoder_forward(const MotDecoder& decoder, const ModelConfig& config, const PackLayout& layout, Streams streams,
                        KvCache* cache, const LayerTap& tap) {
  const auto pass = std::make_shared<DecoderPass>();
  pass->config = config;
  pass->angles = rotation(layout.positions, config.head_dim, config.rope_theta, streams.und.options());
  pass->plan = plan_attention(layout.blocks, layout.total_rows(), config.head_dim, streams.und.options());
  pass->detached = layout.detached;
  const int64_t begin = cache == nullptr ? 0 : cache->used;
  for (size_t i = 0; i < decoder.layers.size(); ++i) {
    if (decoder.recompute && at::GradMode::is_enabled()) {
      streams = RecomputedLayer::run(decoder, i, pass, streams);
    } else {
      TORCH_CHECK(!decoder.keeper || is_here(decoder.layers[i]), "the decoder's weights are dealt: gather them first");
      streams = layer_forward(decoder.layers[i], *pass, streams, cache ? &cache->keys[i] : nullptr,
                              cache ? &cache->values[i] : nullptr, begin);
    }
    if (tap) tap(static_cast<int64_t>(i), streams);
  }
  streams.und = rms_norm(streams.und, decoder.und_norm.weight, config.rms_eps);
  if (streams.gen.size(0) > 0) streams.gen = rms_norm(streams.gen, decoder.gen_norm.weight, config.rms_eps);
  return streams;
}

}  // namespace diptych
