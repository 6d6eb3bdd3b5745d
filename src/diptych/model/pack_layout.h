#pragma once
// From segments to rows: where every token of a pack stands in memory, and who attends to whom.

#include "diptych/model/segment.h"

namespace diptych {

/** Rows of one segment. Rows of a pack are ordered [text and boundary tokens | ViT patches | latent patches], so that
 *  both experts work on slices and nothing is scattered. The first two parts are the understanding expert's. */
struct SegmentRows {
  int64_t text_begin = 0;     // first text token, or the start boundary (its end boundary is the next row)
  int64_t text_count = 0;     // text tokens, or 2
  int64_t content_begin = 0;  // first patch row
  int64_t content_count = 0;  // patches; 0 for text
};

/** Query blocks of equal padded shape, run as one batched attention. */
struct AttentionGroup {
  int64_t batch = 0;
  int64_t queries = 0;  // padded query tokens per block
  int64_t keys = 0;     // padded visible tokens per block
  Tensor query_rows;    // [batch * queries] rows of the pack
  Tensor key_rows;      // [batch * keys] rows of the key source (see PackLayout)
  Tensor mask;          // undefined, or [1 or batch, 1, queries, keys] with 0 and -inf
};

/** Key source: with a cache, its rows, those of this pack starting at `cache_begin`; without one, rows [0, total) are
 *  the pack's own keys and rows [total, 2 total) their detached copies. */
struct PackLayout {
  std::vector<SegmentRows> segments;
  int64_t text_rows = 0;
  int64_t vit_rows = 0;
  int64_t latent_rows = 0;
  Tensor token_ids;       // [text_rows] int64
  Tensor positions;       // [total] int64, RoPE ids in row order
  bool detached = false;  // some segment detaches its context
  std::vector<AttentionGroup> attention;
  Tensor gather;  // [total] row in the concatenated padded outputs of the groups

  int64_t und_rows() const { return text_rows + vit_rows; }
  int64_t total_rows() const { return text_rows + vit_rows + latent_rows; }
};

/** Rows of a segment in the order of its tokens. */
std::vector<int64_t> token_rows(const SegmentRows& rows);

/** Lays out a pack. vision_start and vision_end are the ids of the boundary tokens; cache_begin is the first cache row
 *  that the pack will occupy, or -1 when there is no cache. Mask dtype and device follow `options`. */
PackLayout lay_out(const std::vector<Segment>& segments, int64_t vision_start, int64_t vision_end, int64_t cache_begin,
                   const at::TensorOptions& options);

}  // namespace diptych
