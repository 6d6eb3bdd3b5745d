#include "diptych/model/pack_layout.h"

#include <algorithm>
#include <limits>
#include <map>
#include <tuple>

namespace diptych {

namespace {

// Blocks of nearby lengths share one padded shape: fewer, larger kernels. The padded length depends on the block's own
// length alone, so a sample's result does not depend on its neighbours; the query multiple of 4 is where this CPU's
// attention kernel is independent of batch and threads (measured: lengths 1 and 3 are not). Long blocks stay exact.
constexpr int64_t kQueryMultiple = 4;
constexpr int64_t kKeyMultiple = 8;
constexpr int64_t kExactFrom = 256;

int64_t padded(int64_t length, int64_t multiple) {
  return length >= kExactFrom ? length : (length + multiple - 1) / multiple * multiple;
}

struct Block {
  std::vector<int64_t> queries;  // pack rows
  std::vector<int64_t> keys;     // key-source rows, the block's own last
  bool causal = false;
};

Tensor to_index(const std::vector<int64_t>& values, at::Device device) {
  return at::tensor(values, at::kLong).to(device);
}

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
  layout.token_ids = to_index(ids, device);
  layout.positions = to_index(positions, device);
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

Block make_block(const std::vector<Segment>& segments, const PackLayout& layout, size_t i, int64_t cache_begin) {
  Block block;
  block.causal = segments[i].kind == SegmentKind::text;
  block.queries = token_rows(layout.segments[i]);
  const int64_t own_shift = cache_begin >= 0 ? cache_begin : 0;
  TORCH_CHECK(cache_begin < 0 || !segments[i].detach_context, "pack: a cached pass has no gradients to detach");
  block.keys = context_rows(segments, layout, i, segments[i].detach_context ? layout.total_rows() : own_shift);
  for (int64_t row : block.queries) block.keys.push_back(row + own_shift);
  return block;
}

// Padded queries may see everything: their outputs are never read, and a row that sees nothing would be NaN.
Tensor block_mask(const Block& block, int64_t queries, int64_t keys) {
  Tensor mask = at::zeros({queries, keys}, at::kFloat);
  const int64_t own = static_cast<int64_t>(block.queries.size());
  const int64_t seen = static_cast<int64_t>(block.keys.size());
  const float hidden = -std::numeric_limits<float>::infinity();
  float* row = mask.mutable_data_ptr<float>();
  for (int64_t q = 0; q < own; ++q, row += keys) {
    const int64_t visible = block.causal ? seen - own + q + 1 : seen;
    std::fill(row + visible, row + keys, hidden);
  }
  return mask;
}

void plan_attention(const std::vector<Block>& blocks, const at::TensorOptions& options, PackLayout& layout) {
  using Shape = std::tuple<int64_t, int64_t, bool>;  // padded queries, padded keys, masked
  std::map<Shape, std::vector<size_t>> groups;
  for (size_t i = 0; i < blocks.size(); ++i) {
    const int64_t queries = static_cast<int64_t>(blocks[i].queries.size());
    const int64_t keys = static_cast<int64_t>(blocks[i].keys.size());
    const int64_t padded_keys = padded(keys, kKeyMultiple);
    const bool masked = blocks[i].causal || padded_keys != keys;
    groups[{padded(queries, kQueryMultiple), padded_keys, masked}].push_back(i);
  }
  std::vector<int64_t> gather(layout.total_rows());
  int64_t output_row = 0;
  for (const auto& [shape, members] : groups) {
    AttentionGroup group;
    group.batch = static_cast<int64_t>(members.size());
    group.queries = std::get<0>(shape);
    group.keys = std::get<1>(shape);
    std::vector<int64_t> query_rows;
    std::vector<int64_t> key_rows;
    std::vector<Tensor> masks;
    for (size_t member : members) {
      const Block& block = blocks[member];
      for (size_t q = 0; q < block.queries.size(); ++q) gather[block.queries[q]] = output_row + static_cast<int64_t>(q);
      output_row += group.queries;
      query_rows.insert(query_rows.end(), block.queries.begin(), block.queries.end());
      query_rows.insert(query_rows.end(), group.queries - block.queries.size(), block.queries.front());
      key_rows.insert(key_rows.end(), block.keys.begin(), block.keys.end());
      key_rows.insert(key_rows.end(), group.keys - block.keys.size(), block.keys.front());
      if (std::get<2>(shape)) masks.push_back(block_mask(block, group.queries, group.keys));
    }
    group.query_rows = to_index(query_rows, options.device());
    group.key_rows = to_index(key_rows, options.device());
    if (!masks.empty()) group.mask = at::stack(masks).unsqueeze(1).to(options);
    layout.attention.push_back(std::move(group));
  }
  layout.gather = to_index(gather, options.device());
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
                   const at::TensorOptions& options) {
  PackLayout layout;
  place_rows(segments, layout);
  place_tokens(segments, vision_start, vision_end, options.device(), layout);
  std::vector<Block> blocks;
  for (size_t i = 0; i < segments.size(); ++i) {
    TORCH_CHECK(token_count(segments[i]) > 0, "pack: segment ", i, " is empty");
    TORCH_CHECK(segments[i].cached.empty() || (cache_begin >= 0 && segments[i].parent < 0), "pack: segment ", i,
                " has cached rows in front, but the pass has no cache or the segment a parent");
    layout.detached = layout.detached || segments[i].detach_context;
    blocks.push_back(make_block(segments, layout, i, cache_begin));
  }
  plan_attention(blocks, options, layout);
  return layout;
}

}  // namespace diptych
