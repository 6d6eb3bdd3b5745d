#pragma once
// The official packing, derived from segments and layouts: rows in the order of tokens, and every index tensor.

#include "diptych/model/bagel/bagel.h"
#include "diptych/parity/comparison.h"

namespace diptych {

/** Rows of a pack in the official order, segment by segment and token by token: [tokens] int64. */
Tensor token_order(const PackLayout& layout);

/** Both streams of a pack in the official order: [tokens, D]. */
Tensor in_token_order(const PackLayout& layout, const Tensor& und, const Tensor& gen);

/** Places of tokens in the official order: text and boundary tokens, ViT patches, latent patches. */
struct TokenPlaces {
  std::vector<int64_t> text;
  std::vector<int64_t> vit;
  std::vector<int64_t> latent;
};
TokenPlaces token_places(const std::vector<Segment>& segments);

/** 2-D position ids, row * stride + column, of all ViT images (`vit`) or all latent images. */
std::vector<int64_t> grid_ids(const std::vector<Segment>& segments, bool vit, int64_t stride);

/** Tokens of every segment. */
std::vector<int64_t> token_counts(const std::vector<Segment>& segments);

/** Places of queries and cached tokens in the merged sequence [cache 0, query 0, cache 1, query 1, ...]. */
struct MergedPlaces {
  std::vector<int64_t> queries;
  std::vector<int64_t> cached;
};
MergedPlaces merged_places(const std::vector<int64_t>& cache_lengths, const std::vector<int64_t>& query_lengths);

/** The index tensors of a cached pass with one segment per sample, those that the file holds under `prefix`. */
void compare_packing(Comparison& comparison, const Fixture& fixture, const std::string& prefix, const Bagel& model,
                     const std::vector<Segment>& segments, const PackLayout& layout);

/** The residual streams after every layer of a pass. */
class HiddenStates {
 public:
  LayerTap tap();

  /** Against `prefix`hidden_after_layer{l} and `prefix`hidden_final, where the file holds them. */
  void compare(Comparison& comparison, const Fixture& fixture, const std::string& prefix,
               const PackOutput& output) const;

 private:
  std::vector<Streams> layers_;
};

/** `prefix`layer{l}.key and .value of every layer against those rows of the cache. */
void compare_cache(Comparison& comparison, const std::string& prefix, const KvCache& cache,
                   const std::vector<int64_t>& rows);

/** Cache, `kv_lens` and `ropes` under `prefix` after a prefill of one segment per sample into an empty cache. */
void compare_prefilled(Comparison& comparison, const std::string& prefix, const KvCache& cache,
                       const std::vector<Segment>& segments, const PackOutput& output);

}  // namespace diptych
