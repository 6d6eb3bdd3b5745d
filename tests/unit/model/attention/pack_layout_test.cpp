#include "diptych/tensor/torch.h"

#include "diptych/model/attention/pack_layout.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "diptych/base/rng.h"

namespace diptych {
namespace {

constexpr int64_t kStart = 90;
constexpr int64_t kEnd = 91;

Segment image_of(SegmentKind kind, int64_t height, int64_t width, int64_t parent, int64_t position) {
  return image_segment(kind, at::zeros({height * width, 2}), height, width, parent, position);
}

/** Segments of all kinds; a segment continues a random earlier one that is not noisy, or starts a tree. */
std::vector<Segment> random_forest(Stream& stream, int64_t count) {
  std::vector<Segment> segments;
  for (int64_t i = 0; i < count; ++i) {
    int64_t parent = static_cast<int64_t>(stream.below(static_cast<uint64_t>(i) + 1)) - 1;
    while (parent >= 0 && segments[parent].kind == SegmentKind::noisy_latent) parent = segments[parent].parent;
    const int64_t position = parent < 0 ? static_cast<int64_t>(stream.below(9)) : next_position(segments[parent]);
    const auto kind = static_cast<SegmentKind>(stream.below(4));
    if (kind == SegmentKind::text) {
      std::vector<int64_t> ids;
      for (uint64_t k = 0; k <= stream.below(20); ++k) ids.push_back(static_cast<int64_t>(stream.below(80)));
      segments.push_back(text_segment(ids, parent, position));
    } else {
      const auto height = static_cast<int64_t>(1 + stream.below(4)), width = static_cast<int64_t>(1 + stream.below(4));
      segments.push_back(image_of(kind, height, width, parent, position));
    }
  }
  return segments;
}

bool is_ancestor(const std::vector<Segment>& segments, int64_t ancestor, int64_t of) {
  for (int64_t i = segments[of].parent; i >= 0; i = segments[i].parent)
    if (i == ancestor) return true;
  return false;
}

/** The rule of the design's table: whether token i of segment s sees token j of segment p. */
bool sees(const std::vector<Segment>& segments, int64_t s, int64_t i, int64_t p, int64_t j) {
  if (s == p) return segments[s].kind != SegmentKind::text || j <= i;
  return is_ancestor(segments, p, s) && segments[p].kind != SegmentKind::noisy_latent;
}

int64_t root_of(const std::vector<Segment>& segments, int64_t i) {
  while (segments[i].parent >= 0) i = segments[i].parent;
  return i;
}

/** Rows of the key source that a row of the pack attends to. */
std::multiset<int64_t> seen_rows(const PackLayout& layout, int64_t row) {
  for (const QueryBlock& block : layout.blocks->list) {
    const auto found = std::find(block.queries.begin(), block.queries.end(), row);
    if (found == block.queries.end()) continue;
    const int64_t hidden = block.causal ? block.queries.end() - found - 1 : 0;
    return {block.keys.begin(), block.keys.end() - hidden};
  }
  ADD_FAILURE() << "row " << row << " lies in no block";
  return {};
}

void expect_visibility(const std::vector<Segment>& segments, int64_t cache_begin) {
  const PackLayout layout = lay_out(segments, kStart, kEnd, cache_begin, at::kCPU);
  const auto count = static_cast<int64_t>(segments.size());
  for (int64_t s = 0; s < count; ++s) {
    const std::vector<int64_t> own = token_rows(layout.segments[s]);
    ASSERT_EQ(static_cast<int64_t>(own.size()), token_count(segments[s]));
    for (size_t i = 0; i < own.size(); ++i) {
      const std::vector<int64_t>& cached = segments[root_of(segments, s)].cached;
      std::multiset<int64_t> expected(cached.begin(), cached.end());
      for (int64_t p = 0; p < count; ++p) {
        const std::vector<int64_t> rows = token_rows(layout.segments[p]);
        const bool detached = segments[s].detach_context && p != s;
        const int64_t shift = cache_begin >= 0 ? cache_begin : detached ? layout.total_rows() : 0;
        for (size_t j = 0; j < rows.size(); ++j)
          if (sees(segments, s, static_cast<int64_t>(i), p, static_cast<int64_t>(j))) expected.insert(rows[j] + shift);
      }
      EXPECT_EQ(seen_rows(layout, own[i]), expected) << "segment " << s << ", token " << i;
    }
  }
}

TEST(PackLayoutTest, VisibilityFollowsTheRuleOnRandomForests) {
  for (uint64_t forest = 0; forest < 6; ++forest) {
    Stream stream({.seed = 1, .position = forest});
    expect_visibility(random_forest(stream, 7), -1);
  }
}

TEST(PackLayoutTest, DetachedSegmentsSeeTheDetachedCopiesOfTheirContext) {
  for (uint64_t forest = 0; forest < 4; ++forest) {
    Stream stream({.seed = 2, .position = forest});
    std::vector<Segment> segments = random_forest(stream, 6);
    for (Segment& segment : segments) segment.detach_context = stream.below(2) == 1;
    expect_visibility(segments, -1);
  }
}

TEST(PackLayoutTest, CachedRowsStandInFrontOfTheTree) {
  for (uint64_t forest = 0; forest < 4; ++forest) {
    Stream stream({.seed = 3, .position = forest});
    std::vector<Segment> segments = random_forest(stream, 6);
    for (Segment& segment : segments)
      for (uint64_t k = 0; segment.parent < 0 && k < 5 * stream.below(3); ++k)
        segment.cached.push_back(static_cast<int64_t>(3 * k + stream.below(3)));
    expect_visibility(segments, 40);
  }
}

TEST(PackLayoutTest, BlocksOfOneTreeShareItsNumber) {
  const auto text = [](int64_t parent) { return text_segment({5, 6}, parent, 0); };
  const PackLayout layout = lay_out({text(-1), text(-1), text(0), text(2), text(1)}, kStart, kEnd, -1, at::kCPU);
  std::vector<int64_t> trees;
  for (const QueryBlock& block : layout.blocks->list) trees.push_back(block.tree);
  EXPECT_EQ(trees, (std::vector<int64_t>{0, 1, 0, 0, 1}));
  EXPECT_EQ(layout.blocks->trees, 2);
}

TEST(PackLayoutTest, RowsIdsAndPositionsFollowTheSegments) {
  const std::vector<Segment> segments = {text_segment({5, 6, 7}, -1, 0),
                                         image_of(SegmentKind::clean_latent, 1, 2, 0, 3),
                                         image_of(SegmentKind::vit_image, 2, 2, 1, 4), text_segment({8}, 2, 5),
                                         image_of(SegmentKind::noisy_latent, 1, 1, 3, 6)};
  EXPECT_EQ(next_position(segments[0]), 3);
  EXPECT_EQ(next_position(segments[1]), 4);
  EXPECT_EQ(next_position(segments[2]), 5);
  EXPECT_EQ(next_position(segments[4]), 6);
  const PackLayout layout = lay_out(segments, kStart, kEnd, -1, at::kCPU);
  EXPECT_EQ(layout.text_rows, 3 + 2 + 2 + 1 + 2);
  EXPECT_EQ(layout.vit_rows, 4);
  EXPECT_EQ(layout.latent_rows, 3);
  const auto list = [](const Tensor& values) {
    return std::vector<int64_t>(values.const_data_ptr<int64_t>(), values.const_data_ptr<int64_t>() + values.numel());
  };
  EXPECT_EQ(list(layout.token_ids), (std::vector<int64_t>{5, 6, 7, kStart, kEnd, kStart, kEnd, 8, kStart, kEnd}));
  EXPECT_EQ(list(layout.positions), (std::vector<int64_t>{0, 1, 2, 3, 3, 4, 4, 5, 6, 6, 4, 4, 4, 4, 3, 3, 6}));
  EXPECT_EQ(token_rows(layout.segments[2]), (std::vector<int64_t>{5, 10, 11, 12, 13, 6}));
  EXPECT_EQ(token_rows(layout.segments[4]), (std::vector<int64_t>{8, 16, 9}));
}

TEST(PackLayoutTest, RefusesWhatHasNoMeaning) {
  const Segment text = text_segment({5}, -1, 0);
  const Segment noisy = image_of(SegmentKind::noisy_latent, 1, 1, -1, 0);
  const auto lay = [](const std::vector<Segment>& segments, int64_t cache_begin) {
    return lay_out(segments, kStart, kEnd, cache_begin, at::kCPU);
  };
  EXPECT_THROW(lay({text_segment({5}, 0, 0)}, -1), c10::Error);         // its own parent
  EXPECT_THROW(lay({text_segment({5}, 1, 0), text}, -1), c10::Error);   // a later parent
  EXPECT_THROW(lay({noisy, text_segment({5}, 0, 0)}, -1), c10::Error);  // behind a noisy image
  EXPECT_THROW(lay({text_segment({}, -1, 0)}, -1), c10::Error);         // empty
  Segment detached = text_segment({5}, 0, 1);
  detached.detach_context = true;
  EXPECT_THROW(lay({text, detached}, 0), c10::Error);  // nothing to detach in a cached pass
  Segment behind_rows = text;
  behind_rows.cached = {0};
  EXPECT_THROW(lay({behind_rows}, -1), c10::Error);  // cached rows without a cache
  Segment child = text_segment({5}, 0, 1);
  child.cached = {0};
  EXPECT_THROW(lay({text, child}, 1), c10::Error);  // cached rows belong to the root of a tree
  EXPECT_THROW(image_segment(SegmentKind::vit_image, at::zeros({3, 2}), 2, 2, -1, 0), c10::Error);
}

}  // namespace
}  // namespace diptych
