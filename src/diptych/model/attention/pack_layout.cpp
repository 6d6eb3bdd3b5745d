#include "diptych/model/attention/pack_layout.h"

#include <algorithm>

#include "diptych/tensor/device.h"

namespace diptych {

namespace {

void place_rows(const std::vector<Segment>& segments, PackLayout& layout) {
  layout.segments.resize(segments.size());
  for (size_t i = 0; i < segments.size(); ++i) {
    SegmentRows& rows = layout.segments[i];
    const bool is_text = segments[i].kind == SegmentKind::text;
    rows.text_begin = layout.text_rows;
    rows.text_count = is_text ? token_count(segments[i]) : 2;
    layout.text_rows += rows.text_count;
    rows.content_count = is_text ? 0 : segments[i].grid_height * segments[i].grid_width;
    if (segments[i].kind == SegmentKind::vit_image) layout.vit_rows += rows.content_count;
  }
  int64_t vit = layout.text_rows;
  int64_t latent = layout.text_rows + layout.vit_rows;
  for (size_t i = 0; i < segments.size(); ++i) {
    SegmentRows& rows = layout.segments[i];
    int64_t& next = segments[i].kind == SegmentKind::vit_image ? vit : latent;
    rows.content_begin = next;
    next += rows.content_count;
  }
  layout.latent_rows = latent - layout.und_rows();
}

void place_tokens(const std::vector<Segment>& segments, int64_t vision_start, int64_t vision_end, at::Device device,
                  PackLayout& layout) {
  std::vector<int64_t> ids(layout.text_rows);
  std::vector<int64_t> positions(layout.total_rows());
  for (size_t i = 0; i < segments.size(); ++i) {
    const Segment& segment = segments[i];
    const SegmentRows& rows = layout.segments[i];
    if (segment.kind == SegmentKind::text) {
      for (int64_t k = 0; k < rows.text_count; ++k) {
        ids[rows.text_begin + k] = segment.tokens[k];
        positions[rows.text_begin + k] = segment.position + k;
      }
    } else {
      ids[rows.text_begin] = vision_start;
      ids[rows.text_begin + 1] = vision_end;
      for (int64_t row : token_rows(rows)) positions[row] = segment.position;
    }
  }
  layout.token_ids = index_on(ids, device);
  layout.positions = index_on(positions, device);
}

/** Rows of the chain of parents of segment i, in order of their tokens, each shifted by `shift`. */
std::vector<int64_t> context_rows(const std::vector<Segment>& segments, const PackLayout& layout, size_t i,
                                  int64_t shift) {
  std::vector<int64_t> chain;
  size_t first = i;
  for (int64_t parent = segments[i].parent; parent >= 0; parent = segments[parent].parent) {
    TORCH_CHECK(parent < static_cast<int64_t>(first), "pack: segment ", first, " names parent ", parent,
                ", which does not come before it");
    TORCH_CHECK(segments[parent].kind != SegmentKind::noisy_latent, "pack: segment ", first,
                " continues a noisy image, which nothing may see");
    chain.push_back(parent);
    first = parent;
  }
  std::vector<int64_t> rows = segments[first].cached;
  for (auto it = chain.rbegin(); it != chain.rend(); ++it)
    for (int64_t row : token_rows(layout.segments[*it])) rows.push_back(row + shift);
  return rows;
}

QueryBlock make_block(const std::vector<Segment>& segments, const PackLayout& layout, size_t i, int64_t cache_begin) {
  QueryBlock block;
  block.causal = segments[i].kind == SegmentKind::text;
  block.queries = token_rows(layout.segments[i]);
  const int64_t own_shift = cache_begin >= 0 ? cache_begin : 0;
  TORCH_CHECK(cache_begin < 0 || !segments[i].detach_context, "pack: a cached pass has no gradients to detach");
  block.keys = context_rows(segments, layout, i, segments[i].detach_context ? layout.total_rows() : own_shift);
  for (int64_t row : block.queries) block.keys.push_back(row + own_shift);
  return block;
}

}  // namespace

std::vector<int64_t> token_rows(const SegmentRows& rows) {
  std::vector<int64_t> order;
  if (rows.content_count == 0) {
    for (int64_t k = 0; k < rows.text_count; ++k) order.push_back(rows.text_begin + k);
    return order;
  }
  order.push_back(rows.text_begin);
  for (int64_t k = 0; k < rows.content_count; ++k) order.push_back(rows.content_begin + k);
  order.push_back(rows.text_begin + 1);
  return order;
}

PackLayout lay_out(const std::vector<Segment>& segments, int64_t vision_start, int64_t vision_end, int64_t cache_begin,
                   at::Device device) {
  PackLayout layout;
  place_rows(segments, layout);
  place_tokens(segments, vision_start, vision_end, device, layout);
  layout.blocks = c10::make_intrusive<QueryBlocks>();
  for (size_t i = 0; i < segments.size(); ++i) {
    TORCH_CHECK(token_count(segments[i]) > 0, "pack: segment ", i, " is empty");
    TORCH_CHECK(segments[i].cached.empty() || (cache_begin >= 0 && segments[i].parent < 0), "pack: segment ", i,
                " has cached rows in front, but the pass has no cache or the segment a parent");
    layout.detached = layout.detached || segments[i].detach_context;
    QueryBlock block = make_block(segments, layout, i, cache_begin);
    const int64_t parent = segments[i].parent;
    block.tree = parent >= 0 ? layout.blocks->list[parent].tree : layout.blocks->trees++;
    layout.blocks->list.push_back(std::move(block));
  }
  return layout;
}

}  // namespace diptych
