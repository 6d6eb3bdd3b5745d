#include "diptych/tensor/torch.h"

#include "diptych/plan/pass_memory.h"

#include <algorithm>

#include "diptych/model/bagel/text_head.h"

namespace diptych {

namespace {

constexpr int64_t kFloat = sizeof(float);

/** The sizes of a layer, and of one number. */
struct Sizes {
  Sizes(const Bagel& model, const PackShape& pack, Kernels kernels)
      : hidden(model.config.hidden),
        mlp(model.config.mlp),
        heads(model.config.heads),
        kv_heads(model.config.kv_heads),
        query(model.config.heads * model.config.head_dim),
        key(model.config.kv_heads * model.config.head_dim),
        number(static_cast<int64_t>(model.embed_tokens.element_size())),
        rows(pack.rows()),
        sources(pack.detached ? 2 * pack.rows() : pack.rows()),
        kernels(kernels) {
    if (kernels == Kernels::cuda) {
      padded_queries = rows;
      padded_keys = pack.seen_keys;
      return;
    }
    for (const auto& [group, batch] : pack.groups) {
      padded_queries += batch * group.queries;
      padded_keys += batch * group.keys;
      if (group.masked) masks += batch * heads / kv_heads * group.queries * group.keys;
    }
  }

  /** Norms, rotations and the product of gate and up are one function each. */
  bool is_fused() const { return kernels == Kernels::loops || kernels == Kernels::cuda; }
  /** Attention reads rows in place. */
  bool has_loops() const { return kernels == Kernels::loops || kernels == Kernels::aten_loops; }

  int64_t hidden, mlp, heads, kv_heads, query, key, number, rows, sources;
  Kernels kernels;
  int64_t padded_queries = 0, padded_keys = 0;  // rows of the blocks' copies
  int64_t masks = 0;                            // numbers of the masks as attention takes them
};

bool saves_input(const Linear& layer) {
  return layer.adapter || layer.weight.requires_grad();
}

/** A norm of `count` rows: its input and the inverse RMS; outside fused layers a float32 copy of the input, and what a
 * trained weight multiplies. */
int64_t kept_by_norm(const RmsNorm& norm, int64_t count, const Sizes& sizes) {
  const int64_t numbers = count * norm.weight.numel();
  if (sizes.is_fused()) return numbers * sizes.number + count * kFloat;
  return (numbers + count) * kFloat + (norm.weight.requires_grad() ? numbers * sizes.number : 0);
}

/** What the MLP of an expert keeps, from its norm on. The product of gate and up knows silu(gate) where it is not
 * fused.
 */
int64_t kept_by_mlp(const ExpertLayer& expert, int64_t rows, const Sizes& sizes) {
  const int64_t inner = (sizes.is_fused() ? 2 : 3) + (saves_input(expert.down) ? 1 : 0);
  const int64_t normed = saves_input(expert.gate) || saves_input(expert.up) ? sizes.hidden : 0;
  return kept_by_norm(expert.post_norm, rows, sizes) + rows * (inner * sizes.mlp + normed) * sizes.number;
}

int64_t kept_by_projections(const ExpertLayer& expert, int64_t rows, const Sizes& sizes) {
  const bool saves = saves_input(expert.query) || saves_input(expert.key) || saves_input(expert.value);
  return kept_by_norm(expert.input_norm, rows, sizes) + kept_by_norm(expert.query_norm, rows * sizes.heads, sizes) +
         kept_by_norm(expert.key_norm, rows * sizes.kv_heads, sizes) + (saves ? rows * sizes.hidden * sizes.number : 0);
}

/** Queries, keys, values, outputs and log-sums: in place in the loops, elsewhere copied block by block. */
int64_t kept_by_attention(const MotLayer& layer, const Sizes& sizes) {
  if (sizes.has_loops())
    return 2 * (sizes.rows * sizes.query + sizes.sources * sizes.key) * sizes.number +
           sizes.rows * sizes.heads * kFloat;
  const bool saves = saves_input(layer.und.output) || saves_input(layer.gen.output);
  const int64_t numbers = 2 * sizes.padded_queries * sizes.query + 2 * sizes.padded_keys * sizes.key + sizes.masks +
                          (saves ? sizes.rows * sizes.query : 0);
  return numbers * sizes.number + sizes.padded_queries * sizes.heads * kFloat;
}

int64_t kept_by_mlps(const MotLayer& layer, const PackShape& pack, const Sizes& sizes) {
  return kept_by_mlp(layer.und, pack.und_rows, sizes) + kept_by_mlp(layer.gen, pack.latent_rows, sizes);
}

int64_t kept_by_layer(const MotLayer& layer, const PackShape& pack, const Sizes& sizes) {
  return kept_by_projections(layer.und, pack.und_rows, sizes) +
         kept_by_projections(layer.gen, pack.latent_rows, sizes) + kept_by_attention(layer, sizes) +
         kept_by_mlps(layer, pack, sizes);
}

/** Beside what a layer keeps, while its backward pass runs: the gradient of the streams, and in an MLP those of gate
 * and up, or in front of them the one of their product; with them the gradient of a trained weight, which stays in
 * float32 and is otherwise added to a float32 sum at once. */
int64_t working_in_layer(const MotLayer& layer, const PackShape& pack, const Sizes& sizes) {
  const bool trained = layer.gen.down.weight.requires_grad();
  const int64_t weight = trained ? layer.gen.down.weight.numel() * sizes.number : 0;
  const int64_t staying = sizes.number < kFloat ? 0 : weight;
  const auto in_mlp = [&](const ExpertLayer& expert, int64_t rows) {
    const int64_t inner = rows * sizes.mlp * sizes.number;
    // The gradients of gate and up take the places of what `down` saved and of their own upstream.
    return std::max((saves_input(expert.down) ? 2 : 3) * inner + staying, inner + weight);
  };
  // The generation expert comes last in the forward pass, so its MLP is gone when the other's turn comes.
  const int64_t gone = kept_by_mlp(layer.gen, pack.latent_rows, sizes);
  const int64_t in_mlps = pack.latent_rows > 0
                              ? std::max(in_mlp(layer.gen, pack.latent_rows), in_mlp(layer.und, pack.und_rows) - gone)
                              : in_mlp(layer.und, pack.und_rows);
  const int64_t copies =
      sizes.has_loops() ? sizes.rows * 2 * sizes.query + 2 * sizes.sources * sizes.key
                        : sizes.padded_queries * 3 * sizes.query + 2 * (sizes.padded_keys + sizes.sources) * sizes.key;
  const int64_t in_attention = copies * sizes.number - kept_by_mlps(layer, pack, sizes);
  return sizes.rows * sizes.hidden * sizes.number + std::max(in_mlps, in_attention);
}

/** The angles, which all layers share. */
int64_t kept_by_angles(const Bagel& model, const Sizes& sizes) {
  return 2 * sizes.rows * model.config.head_dim * sizes.number;
}

/** Behind the layers, and gone before their backward pass: the last norms; hidden rows of the text head; maps of the
 * image losses, of which the graph keeps about five of [rows, channels] in float32. */
int64_t kept_behind_layers(const Bagel& model, const PackShape& pack, const Sizes& sizes) {
  return kept_by_norm(model.decoder.und_norm, pack.und_rows, sizes) +
         kept_by_norm(model.decoder.gen_norm, pack.latent_rows, sizes) +
         pack.logprob_rows * sizes.hidden * sizes.number +
         5 * pack.latent_rows * latent_token_width(model.config) * kFloat;
}

/** A chunk of logits in the compute type, in float32, and divided by the temperature; the gradient of a trained head.
 */
int64_t working_in_text_head(const Bagel& model, const PackShape& pack, const Sizes& sizes) {
  if (pack.logprob_rows == 0) return 0;
  const int64_t chunk = std::min(pack.logprob_rows, logits_chunk_rows(model.config.vocabulary));
  const Tensor& weight = model.lm_head.weight;
  return chunk * model.config.vocabulary * (2 * kFloat + (sizes.number < kFloat ? sizes.number : 0)) +
         (weight.requires_grad() ? weight.numel() * sizes.number : 0);
}

}  // namespace

Kernels kernels_on_gpu(const std::string& dtype) {
  return dtype == "bfloat16" ? Kernels::cuda : Kernels::aten;
}

PackShape pack_shape(const PackLayout& layout, int64_t logprob_rows) {
  PackShape shape{.und_rows = layout.und_rows(),
                  .latent_rows = layout.latent_rows,
                  .logprob_rows = logprob_rows,
                  .detached = layout.detached,
                  .groups = group_shapes(*layout.blocks),
                  .seen_keys = 0};
  for (const QueryBlock& block : layout.blocks->list) shape.seen_keys += static_cast<int64_t>(block.keys.size());
  return shape;
}

UpdateBytes update_bytes(const Bagel& model, const PackShape& pack, Kernels kernels, bool recompute) {
  const Sizes sizes(model, pack, kernels);
  const MotLayer& layer = model.decoder.layers.front();
  const auto layers = static_cast<int64_t>(model.decoder.layers.size());
  const int64_t in_layer = kept_by_layer(layer, pack, sizes);
  const int64_t working = working_in_layer(layer, pack, sizes);
  const int64_t in_head = working_in_text_head(model, pack, sizes);
  const int64_t angles = kept_by_angles(model, sizes);
  const int64_t behind = kept_behind_layers(model, pack, sizes);
  const int64_t between = recompute ? sizes.rows * sizes.hidden * sizes.number : in_layer;
  const int64_t again = recompute ? in_layer : 0;
  return {.kept = angles + layers * between + behind,
          .working = std::max(in_head, again + working - behind),
          .last = angles + between + again + working};
}

int64_t update_peak(const UpdateBytes& pass, int64_t gradients, bool gradients_grow, int64_t layers) {
  if (!gradients_grow) return pass.kept + pass.working + gradients;
  return std::max(pass.kept + pass.working, pass.last + gradients / layers * (layers - 1));
}

int64_t forward_bytes(const Bagel& model, const PackShape& pack, Kernels kernels) {
  const Sizes sizes(model, pack, kernels);
  // Rows of the layer, rotated heads and what attention makes of them live until the layer ends.
  const int64_t in_attention =
      sizes.has_loops() ? 0 : sizes.padded_queries * 3 * sizes.query + 2 * sizes.padded_keys * sizes.key;
  const int64_t inner = sizes.is_fused() ? 3 : 4;
  const auto in_mlp = [&](int64_t rows) { return rows * (2 * sizes.hidden + inner * sizes.mlp); };
  const int64_t heads = sizes.rows * (sizes.hidden + sizes.query) + 2 * sizes.sources * sizes.key;
  const int64_t most = std::max(
      in_attention, sizes.rows * sizes.query +
                        std::max(in_mlp(pack.und_rows), pack.und_rows * sizes.hidden + in_mlp(pack.latent_rows)));
  return (heads + most) * sizes.number;
}

}  // namespace diptych
