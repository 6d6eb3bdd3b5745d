#pragma once
// The mixture-of-transformers decoder: every layer weight exists twice, once per expert, and one attention joins them.

#include <functional>
#include <memory>

#include "diptych/model/attention/kv_cache.h"
#include "diptych/model/attention/pack_layout.h"
#include "diptych/model/layers/layers.h"
#include "diptych/tensor/named_tensor.h"

namespace diptych {

struct ModelConfig;

/** Weights of one expert in one layer. Shapes with D hidden, H heads, K kv heads, d head dim, M MLP width. */
struct ExpertLayer {
  RmsNorm input_norm;            // [D]
  Linear query, key, value;      // [H d, D], [K d, D], [K d, D], with bias
  RmsNorm query_norm, key_norm;  // [d]
  Linear output;                 // [D, H d]
  RmsNorm post_norm;             // [D]
  Linear gate, up, down;         // [M, D], [M, D], [D, M]
};

struct MotLayer {
  ExpertLayer und;
  ExpertLayer gen;
};

/** Who brings the weights of a layer when a pass needs them, where they are not always there, and takes the gradients
 *  that a backward pass makes of them. Layers count from 0. */
struct LayerKeeper {
  std::function<void(size_t layer)> enter;
  std::function<void(size_t layer)> leave;
  /** In the order of trained_weights(layer); undefined where there is none. Nothing else receives them. */
  std::function<void(size_t layer, const std::vector<Tensor>& gradients)> take;
};

struct MotDecoder {
  std::vector<MotLayer> layers;
  RmsNorm und_norm;
  RmsNorm gen_norm;
  bool recompute =
      false;  // training keeps the rows between layers only, and runs each layer again in the backward pass
  std::shared_ptr<const LayerKeeper> keeper;  // of training with `recompute`; usually none
};

/** Weights on the meta device, of the shapes the configuration asks for. */
MotDecoder make_decoder(const ModelConfig& config);

/** Slots under the official names, `language_model.model.layers.0.self_attn.q_proj.weight` and so on (bagel.md 10.1).
 */
void collect(std::vector<ParameterSlot>& slots, MotDecoder& decoder);

/** Adapters, if there are any, then the weights of the layer that require gradients. */
std::vector<Tensor> trained_weights(MotLayer& layer);

/** A linear of the decoder and its official name, such as `language_model.model.layers.0.self_attn.q_proj_moe_gen`. */
struct NamedLinear {
  std::string name;
  Linear* layer;
};

/** All of them, in the order of the slots. */
std::vector<NamedLinear> decoder_linears(MotDecoder& decoder);

/** Rows of the two experts; either may be empty. */
struct Streams {
  Tensor und;  // [und rows, D]
  Tensor gen;  // [latent rows, D]
};

/** Called with the layer number and the residual streams after that layer; for parity tests. */
using LayerTap = std::function<void(int64_t layer, const Streams&)>;

/** All layers and the final norms. With a cache, keys and values of the pack are written to rows [cache->used,
 *  cache->used + total) of its storage; `cache->used` is left as it was. */
Streams decoder_forward(const MotDecoder& decoder, const ModelConfig& config, const PackLayout& layout, Streams streams,
                        KvCache* cache, const LayerTap& tap);

}  // namespace diptych
