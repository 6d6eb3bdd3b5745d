#pragma once
// From segments to rows: where every token of a pack stands in memory, and who attends to whom.

#include "diptych/model/attention/segment.h"

namespace diptych {

/** Rows of one segment. Rows of a pack are ordered [text and boundary tokens | ViT patches | latent patches], so that
 *  both experts work on slices and nothing is scattered. The first two parts are the understanding expert's. */
struct SegmentRows {
  int64_t text_begin = 0;     // first text token, or the start boundary (its end boundary is the next row)
  int64_t text_count = 0;     // text tokens, or 2
  int64_t content_begin = 0;  // first patch row
  int64_t content_count = 0;  // patches; 0 for text
};

/** The queries of one segment, and what they see. */
struct QueryBlock {
  std::vector<int64_t> queries;  // rows of the pack
  std::vector<int64_t> keys;     // rows of the key source (see PackLayout), the block's own last
  bool causal = false;           // query i sees all but the last (queries - 1 - i) keys
  int64_t tree = 0;              // blocks of two trees share no rows of the pack
};

/** Shared with what a backward pass keeps. */
struct QueryBlocks : torch::CustomClassHolder {
  std::vector<QueryBlock> list;  // one per segment
  int64_t trees = 0;
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
  c10::intrusive_ptr<QueryBlocks> blocks;

  int64_t und_rows() const { return text_rows + vit_rows; }
  int64_t total_rows() const { return text_rows + vit_rows + latent_rows; }
};

/** Rows of a segment in the order of its tokens. */
std::vector<int64_t> token_rows(const SegmentRows& rows);

/** Lays out a pack. vision_start and vision_end are the ids of the boundary tokens; cache_begin is the first cache row
 *  that the pack will occupy, or -1 when there is no cache. */
PackLayout lay_out(const std::vector<Segment>& segments, int64_t vision_start, int64_t vision_end, int64_t cache_begin,
                   at::Device device);

}  // namespace diptych
