#include "diptych/parity/packing.h"

#include "diptych/base/text_format.h"

namespace diptych {

namespace {

std::vector<int64_t> range(int64_t begin, int64_t end) {
  std::vector<int64_t> values;
  for (int64_t value = begin; value < end; ++value) values.push_back(value);
  return values;
}

}  // namespace

Tensor token_order(const PackLayout& layout) {
  std::vector<int64_t> order;
  for (const SegmentRows& segment : layout.segments)
    for (int64_t row : token_rows(segment)) order.push_back(row);
  return at::tensor(order, at::kLong);
}

Tensor in_token_order(const PackLayout& layout, const Tensor& und, const Tensor& gen) {
  return at::cat({und.cpu(), gen.cpu()}).index_select(0, token_order(layout));
}

TokenPlaces token_places(const std::vector<Segment>& segments) {
  TokenPlaces places;
  int64_t begin = 0;
  for (const Segment& segment : segments) {
    const int64_t end = begin + token_count(segment);
    if (segment.kind == SegmentKind::text) {
      for (int64_t place : range(begin, end)) places.text.push_back(place);
    } else {
      places.text.push_back(begin);
      places.text.push_back(end - 1);
      std::vector<int64_t>& patches = segment.kind == SegmentKind::vit_image ? places.vit : places.latent;
      for (int64_t place : range(begin + 1, end - 1)) patches.push_back(place);
    }
    begin = end;
  }
  return places;
}

std::vector<int64_t> grid_ids(const std::vector<Segment>& segments, bool vit, int64_t stride) {
  std::vector<int64_t> ids;
  for (const Segment& segment : segments) {
    if (segment.kind == SegmentKind::text || (segment.kind == SegmentKind::vit_image) != vit) continue;
    for (int64_t row = 0; row < segment.grid_height; ++row)
      for (int64_t column = 0; column < segment.grid_width; ++column) ids.push_back(row * stride + column);
  }
  return ids;
}

std::vector<int64_t> token_counts(const std::vector<Segment>& segments) {
  std::vector<int64_t> counts;
  for (const Segment& segment : segments) counts.push_back(token_count(segment));
  return counts;
}

MergedPlaces merged_places(const std::vector<int64_t>& cache_lengths, const std::vector<int64_t>& query_lengths) {
  MergedPlaces places;
  int64_t next = 0;
  for (size_t sample = 0; sample < cache_lengths.size(); ++sample) {
    for (int64_t i = 0; i < cache_lengths[sample]; ++i) places.cached.push_back(next++);
    for (int64_t i = 0; i < query_lengths[sample]; ++i) places.queries.push_back(next++);
  }
  return places;
}

void compare_packing(Comparison& comparison, const Fixture& fixture, const std::string& prefix, const Bagel& model,
                     const std::vector<Segment>& segments, const PackLayout& layout) {
  std::vector<int64_t> cache_lengths;
  for (const Segment& segment : segments) cache_lengths.push_back(static_cast<int64_t>(segment.cached.size()));
  const MergedPlaces merged = merged_places(cache_lengths, token_counts(segments));
  const TokenPlaces places = token_places(segments);
  const Tensor positions = layout.positions.cpu().index_select(0, token_order(layout));
  // The text prefill gives the places of its tokens in the merged sequence, all others in the query sequence.
  const bool text_prefill = fixture.has(prefix + "text_token_lens");

  comparison.equal(prefix + "packed_text_ids", layout.token_ids);
  comparison.equal(prefix + "packed_text_indexes", text_prefill ? merged.queries : places.text);
  comparison.equal(prefix + "key_values_lens", cache_lengths);
  comparison.equal(prefix + "packed_key_value_indexes", merged.cached);
  comparison.equal(prefix + (text_prefill ? "text_token_lens" : "packed_seqlens"), token_counts(segments));
  comparison.equal(prefix + (text_prefill ? "packed_text_position_ids" : "packed_position_ids"), positions);
  const auto compare_present = [&](const char* name, const std::vector<int64_t>& actual) {
    if (fixture.has(prefix + name)) comparison.equal(prefix + name, actual);
  };
  compare_present("packed_indexes", merged.queries);
  compare_present("packed_vit_token_indexes", places.vit);
  compare_present("packed_vit_position_ids", grid_ids(segments, true, model.config.vit_max_patches_per_side));
  compare_present("packed_vae_token_indexes", places.latent);
  compare_present("packed_vae_position_ids", grid_ids(segments, false, model.config.max_latent_size));
}

LayerTap HiddenStates::tap() {
  return [this](int64_t, const Streams& streams) { layers_.push_back({streams.und.clone(), streams.gen.clone()}); };
}

void HiddenStates::compare(Comparison& comparison, const Fixture& fixture, const std::string& prefix,
                           const PackOutput& output) const {
  for (size_t layer = 0; layer < layers_.size(); ++layer) {
    const std::string key = cat(prefix, "hidden_after_layer", layer);
    if (fixture.has(key)) comparison.close(key, in_token_order(output.layout, layers_[layer].und, layers_[layer].gen));
  }
  comparison.close(prefix + "hidden_final", in_token_order(output.layout, output.und, output.latent));
}

void compare_cache(Comparison& comparison, const std::string& prefix, const KvCache& cache,
                   const std::vector<int64_t>& rows) {
  const Tensor index = at::tensor(rows, at::kLong);
  for (size_t layer = 0; layer < cache.keys.size(); ++layer) {
    comparison.close(cat(prefix, "layer", layer, ".key"), cache.keys[layer].cpu().index_select(0, index));
    comparison.close(cat(prefix, "layer", layer, ".value"), cache.values[layer].cpu().index_select(0, index));
  }
}

void compare_prefilled(Comparison& comparison, const std::string& prefix, const KvCache& cache,
                       const std::vector<Segment>& segments, const PackOutput& output) {
  std::vector<int64_t> rows, positions;
  for (size_t i = 0; i < segments.size(); ++i) {
    for (int64_t row : cache_rows(output, i)) rows.push_back(row);
    positions.push_back(next_position(segments[i]));
  }
  compare_cache(comparison, prefix + "kv.", cache, rows);
  comparison.equal(prefix + "kv_lens", token_counts(segments));
  comparison.equal(prefix + "ropes", positions);
}

}  // namespace diptych
