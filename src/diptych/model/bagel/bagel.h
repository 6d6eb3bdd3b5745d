#pragma once
// The whole model of a BAGEL folder, and its one forward pass.

#include "diptych/model/bagel/autoencoder.h"
#include "diptych/model/bagel/mot.h"
#include "diptych/model/bagel/vit.h"
#include "diptych/model/config/model_config.h"

namespace diptych {

/** Ids of the markers, resolved by the tokenizer of the model folder. */
struct SpecialTokens {
  int64_t im_start = 0;
  int64_t im_end = 0;
  int64_t vision_start = 0;
  int64_t vision_end = 0;
};

struct Bagel {
  ModelConfig config;
  SpecialTokens special;
  Tensor embed_tokens;  // [vocabulary, D]
  Linear lm_head;       // [vocabulary, D], no bias
  MotDecoder decoder;
  Linear vae2llm;            // [D, patch channels]
  Linear llm2vae;            // [patch channels, D]
  Linear time_in, time_out;  // [D, 256], [D, D]
  Tensor latent_pos_embed;   // [max_latent_size^2, D], fixed
  std::optional<Vit> vit;    // absent in folders without visual understanding
  Autoencoder autoencoder;
};

/** Weights on the meta device. */
Bagel make_bagel(const ModelConfig& config);

/** Slots of ema.safetensors. */
std::vector<ParameterSlot> transformer_slots(Bagel& model);

/** Slots of ae.safetensors. */
std::vector<ParameterSlot> autoencoder_slots(Bagel& model);

/** Compute options: dtype and device of the weights. */
at::TensorOptions compute_options(const Bagel& model);

/** An empty cache for the model. */
KvCache make_cache(const Bagel& model);

enum class CacheUse {
  append,   // the rows of the pack stay in the cache
  scratch,  // the cache is as before afterwards
};

struct PackOutput {
  PackLayout layout;
  int64_t cache_begin = -1;  // first cache row of the pack, -1 without a cache
  Tensor und;                // [und rows, D], after the final norm
  Tensor latent;             // [latent rows, D], after the final norm
};

/** The forward pass of everything: prefill, decoding, denoising, replay and training (docs/architecture.md). Without a
 *  cache, gradients flow; with one, call it under a no-grad guard. Shapes follow from the segments. */
PackOutput forward(const Bagel& model, const std::vector<Segment>& segments, KvCache* cache = nullptr,
                   CacheUse use = CacheUse::append, const LayerTap& tap = {});

/** Input rows of the decoder, before the first layer; exposed for parity tests. */
Streams embed(const Bagel& model, const std::vector<Segment>& segments, const PackLayout& layout);

/** Velocity v = noise - x0 of latent rows: [rows, D] -> [rows, patch channels], float32. */
Tensor velocity(const Bagel& model, const Tensor& latent_hidden);

/** Logits of und rows: [rows, D] -> [rows, vocabulary], float32. */
Tensor logits(const Bagel& model, const Tensor& und_hidden);

/** Cache rows of a segment of a cached pass, in the order of its tokens. */
std::vector<int64_t> cache_rows(const PackOutput& output, size_t segment);

}  // namespace diptych
