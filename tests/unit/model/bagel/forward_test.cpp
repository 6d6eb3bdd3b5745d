#include "diptych/tensor/torch.h"

#include <gtest/gtest.h>

#include "diptych/model/bagel/bagel.h"
#include "diptych/model/bagel/flops.h"
#include "support/compare.h"
#include "support/tiny_model.h"

namespace diptych {
namespace {

const Bagel& model() {
  static const Bagel bagel = tiny_bagel();
  return bagel;
}

Segment behind(Segment segment, const std::vector<Segment>& segments, int64_t parent) {
  segment.parent = parent;
  segment.position = parent < 0 ? 0 : next_position(segments[parent]);
  return segment;
}

Segment some_text(uint64_t address, int64_t length) {
  Stream stream({.seed = 9, .position = address});
  std::vector<int64_t> ids;
  for (int64_t k = 0; k < length; ++k) ids.push_back(static_cast<int64_t>(stream.below(100)));
  return text_segment(ids, -1, 0);
}

Segment some_image(SegmentKind kind, uint64_t address, int64_t height, int64_t width, double time = 0) {
  const int64_t channels = kind == SegmentKind::vit_image ? 48 : 16;
  Segment segment = image_segment(kind, numbers(address, {height * width, channels}), height, width, -1, 0);
  segment.time = time;
  return segment;
}

/** One chain: text, clean latent, ViT image, text, and two noisy images behind it. Sizes depend on the number. */
std::vector<Segment> chain(uint64_t number) {
  const auto n = static_cast<int64_t>(number);
  std::vector<Segment> segments;
  const auto add = [&](Segment segment, int64_t parent) {
    segments.push_back(behind(std::move(segment), segments, parent));
  };
  add(some_text(number, 3 + 2 * n), -1);
  add(some_image(SegmentKind::clean_latent, 100 + number, 2, 2 + n % 3), 0);
  add(some_image(SegmentKind::vit_image, 200 + number, 2, 3), 1);
  add(some_text(50 + number, 1 + n), 2);
  add(some_image(SegmentKind::noisy_latent, 300 + number, 4, 4, 0.7), 3);
  add(some_image(SegmentKind::noisy_latent, 400 + number, 4, 4, 0.3), 3);
  return segments;
}

void append(std::vector<Segment>& pack, const std::vector<Segment>& more) {
  const auto begin = static_cast<int64_t>(pack.size());
  for (Segment segment : more) {
    if (segment.parent >= 0) segment.parent += begin;
    pack.push_back(std::move(segment));
  }
}

/** Final hidden rows of a segment in the order of its tokens. */
Tensor hidden_of(const PackOutput& output, size_t segment) {
  return at::cat({output.und, output.latent})
      .index_select(0, at::tensor(token_rows(output.layout.segments[segment]), at::kLong));
}

TEST(ForwardTest, PackedSamplesEqualSingleOnesBitForBit) {
  at::NoGradGuard no_grad;
  std::vector<Segment> pack;
  for (uint64_t number = 0; number < 5; ++number) append(pack, chain(number));
  const PackOutput together = forward(model(), pack);
  size_t next = 0;
  for (uint64_t number = 0; number < 5; ++number) {
    const std::vector<Segment> single = chain(number);
    const PackOutput alone = forward(model(), single);
    for (size_t i = 0; i < single.size(); ++i)
      EXPECT_TRUE(same_bits(hidden_of(together, next++), hidden_of(alone, i))) << number << ", segment " << i;
  }
}

TEST(ForwardTest, ASharedPromptEqualsCopiesOfItBitForBit) {
  at::NoGradGuard no_grad;
  std::vector<Segment> shared = {some_text(1, 11)};
  std::vector<Segment> copies;
  for (uint64_t sample = 0; sample < 3; ++sample) {
    const Segment thought = some_text(2 + sample, 4 + static_cast<int64_t>(sample));
    const Segment image = some_image(SegmentKind::noisy_latent, sample, 4, 4, 0.5);
    shared.push_back(behind(thought, shared, 0));
    shared.push_back(behind(image, shared, static_cast<int64_t>(shared.size()) - 1));
    std::vector<Segment> own = {some_text(1, 11)};
    own.push_back(behind(thought, own, 0));
    own.push_back(behind(image, own, 1));
    append(copies, own);
  }
  const PackOutput forest = forward(model(), shared);
  const PackOutput flat = forward(model(), copies);
  for (size_t sample = 0; sample < 3; ++sample) {
    EXPECT_TRUE(same_bits(hidden_of(flat, 3 * sample), hidden_of(forest, 0)));
    EXPECT_TRUE(same_bits(hidden_of(flat, 3 * sample + 1), hidden_of(forest, 2 * sample + 1)));
    EXPECT_TRUE(same_bits(hidden_of(flat, 3 * sample + 2), hidden_of(forest, 2 * sample + 2)));
  }
}

/** The chain through a cache: one segment a pass, text token by token, noisy images as scratch. */
void expect_cached_equals_full(const Bagel& bagel, double tolerance) {
  at::NoGradGuard no_grad;
  const std::vector<Segment> segments = chain(3);
  const PackOutput full = forward(bagel, segments);
  KvCache cache = make_cache(bagel);
  std::vector<int64_t> context;
  for (size_t i = 0; i < segments.size(); ++i) {
    std::vector<Segment> pieces;
    if (i == 3) {
      for (size_t k = 0; k < segments[i].tokens.size(); ++k)
        pieces.push_back(text_segment({segments[i].tokens[k]}, -1, segments[i].position + static_cast<int64_t>(k)));
    } else {
      pieces.push_back(segments[i]);
    }
    const bool noisy = segments[i].kind == SegmentKind::noisy_latent;
    std::vector<Tensor> hidden;
    for (Segment& piece : pieces) {
      piece.parent = -1;
      piece.cached = context;
      const int64_t used = cache.used;
      const PackOutput output = forward(bagel, {piece}, &cache, noisy ? CacheUse::scratch : CacheUse::append);
      EXPECT_EQ(cache.used, used + (noisy ? 0 : output.layout.total_rows()));
      hidden.push_back(hidden_of(output, 0));
      if (noisy) continue;
      for (int64_t row : cache_rows(output, 0)) context.push_back(row);
    }
    EXPECT_TRUE(close(at::cat(hidden), hidden_of(full, i), {.normalised = tolerance})) << "segment " << i;
  }
}

TEST(ForwardTest, CachedPassesEqualTheTrainingPass) {
  expect_cached_equals_full(model(), 1e-5);
  expect_cached_equals_full(tiny_bagel(at::kDouble), 1e-13);
}

TEST(ForwardTest, NothingSeesANoisyImage) {
  at::NoGradGuard no_grad;
  std::vector<Segment> segments = chain(1);
  append(segments, chain(2));
  const PackOutput before = forward(model(), segments);
  segments[4].content = segments[4].content + 1;
  segments[4].time = 0.9;
  const PackOutput after = forward(model(), segments);
  for (size_t i = 0; i < segments.size(); ++i) {
    const bool same = bool(same_bits(hidden_of(after, i), hidden_of(before, i)));
    EXPECT_EQ(same, i != 4) << i;
  }
}

TEST(ForwardTest, EverythingBehindSeesACleanImageButNothingBefore) {
  at::NoGradGuard no_grad;
  std::vector<Segment> segments = chain(1);
  const PackOutput before = forward(model(), segments);
  segments[1].content = segments[1].content + 1;
  const PackOutput after = forward(model(), segments);
  for (size_t i = 0; i < segments.size(); ++i)
    EXPECT_EQ(bool(same_bits(hidden_of(after, i), hidden_of(before, i))), i == 0) << i;
}

TEST(ForwardTest, DetachedContextKeepsValuesAndStopsGradients) {
  for (const bool detach : {false, true}) {
    std::vector<Segment> segments = chain(2);
    const PackOutput plain = forward(model(), segments);
    segments[1].content = segments[1].content.clone().requires_grad_();
    for (const size_t noisy : {4, 5}) {
      segments[noisy].content = segments[noisy].content.clone().requires_grad_();
      segments[noisy].detach_context = detach;
    }
    const PackOutput output = forward(model(), segments);
    for (size_t i = 0; i < segments.size(); ++i) EXPECT_TRUE(same_bits(hidden_of(output, i), hidden_of(plain, i)));
    hidden_of(output, 4).square().sum().backward();
    EXPECT_GT(segments[4].content.grad().abs().max().item<float>(), 0);
    EXPECT_EQ(segments[5].content.grad().abs().max().item<float>(), 0);
    const double context = segments[1].content.grad().abs().max().item<double>();
    if (detach) {
      EXPECT_EQ(context, 0);
    } else {
      EXPECT_GT(context, 0);
    }
  }
}

TEST(ForwardTest, ComputesInTheDtypeOfTheWeights) {
  at::NoGradGuard no_grad;
  const PackOutput exact = forward(model(), chain(1));
  const Bagel small = tiny_bagel(at::kBFloat16);
  const PackOutput output = forward(small, chain(1));
  EXPECT_EQ(output.und.scalar_type(), at::kBFloat16);
  EXPECT_EQ(output.latent.scalar_type(), at::kBFloat16);
  EXPECT_TRUE(close(velocity(small, output.latent), velocity(model(), exact.latent), {.normalised = 0.2}));
  EXPECT_TRUE(close(logits(small, output.und), logits(model(), exact.und), {.normalised = 0.2}));
}

TEST(ForwardTest, RefusesWhatTheModelCannotDo) {
  KvCache cache = make_cache(model());
  EXPECT_THROW(forward(model(), {some_text(1, 2)}, &cache), c10::Error);  // gradients are on
  at::NoGradGuard no_grad;
  EXPECT_THROW(forward(model(), {some_image(SegmentKind::noisy_latent, 1, 9, 1, 0.5)}), c10::Error);
  Bagel blind = model();
  blind.vit.reset();
  EXPECT_THROW(forward(blind, {some_image(SegmentKind::vit_image, 1, 2, 2)}), c10::Error);
  EXPECT_THROW(cache_rows(forward(model(), {some_text(1, 2)}), 0), c10::Error);
}

TEST(FlopsTest, CountsLinearLayersAndAttention) {
  const std::vector<Segment> segments = {some_text(1, 5)};
  const PackLayout layout = lay_out(segments, 2, 3, -1, at::kCPU);
  const double linear = 2.0 * 5 * (32 * 32 + 2 * 32 * 16 + 32 * 32 + 3 * 32 * 48);
  const double attention = 2.0 * 2 * 5 * 5 * 32;
  EXPECT_DOUBLE_EQ(forward_flops(tiny_config(), layout), 2 * (linear + attention));
}

TEST(KvCacheTest, GrowsWithItsContents) {
  KvCache cache = make_cache(2, 3, 4, at::kFloat);
  reserve_rows(cache, 5);
  cache.keys[1].narrow(0, 0, 5).copy_(numbers(1, {5, 3, 4}));
  cache.values[0].narrow(0, 0, 5).copy_(numbers(2, {5, 3, 4}));
  cache.used = 5;
  reserve_rows(cache, 1);
  EXPECT_EQ(cache.used, 5);
  for (const Tensor& storage : {cache.keys[0], cache.keys[1], cache.values[0], cache.values[1]})
    EXPECT_EQ(storage.sizes(), at::IntArrayRef({10, 3, 4}));  // doubled, so that decoding does not copy every time
  EXPECT_TRUE(same_bits(cache.keys[1].narrow(0, 0, 5), numbers(1, {5, 3, 4})));
  EXPECT_TRUE(same_bits(cache.values[0].narrow(0, 0, 5), numbers(2, {5, 3, 4})));
}

}  // namespace
}  // namespace diptych
