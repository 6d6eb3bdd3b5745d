#include "diptych/tensor/autograd.h"

#include "diptych/model/attention/attention.h"

#include <gtest/gtest.h>

#include <tuple>

#include "diptych/model/attention/attention_loops.h"
#include "diptych/tensor/random.h"
#include "support/compare.h"

namespace diptych {
namespace {

constexpr int64_t kHeads = 4;
constexpr int64_t kKvHeads = 2;

struct Rows {
  Tensor query, keys, values;
};

Rows random_rows(const PackLayout& layout, int64_t sources, int64_t width, at::ScalarType type) {
  const auto draw = [&](uint64_t seed, int64_t rows, int64_t heads) {
    return normal_tensor({.seed = seed}, {rows, heads, width}).to(type).requires_grad_();
  };
  return {draw(1, layout.total_rows(), kHeads), draw(2, sources, kKvHeads), draw(3, sources, kKvHeads)};
}

/** Two trees: a prompt, a text behind it, two images behind that; and a text by itself. */
std::vector<Segment> forest(int64_t text, int64_t side) {
  const auto noisy = [&](int64_t parent) {
    return image_segment(SegmentKind::noisy_latent, at::zeros({side * side, 2}), side, side, parent, 0);
  };
  const auto words = [](int64_t count, int64_t parent) {
    return text_segment(std::vector<int64_t>(static_cast<size_t>(count), 4), parent, 0);
  };
  return {words(5, -1), words(text, 0), noisy(1), noisy(1), words(3, -1)};
}

/** softmax(q k^T / sqrt(d)) v over the keys that each row of the blocks sees, in plain ATen. */
Tensor by_hand(const PackLayout& layout, const Rows& rows) {
  const int64_t width = rows.query.size(2);
  std::vector<Tensor> out(static_cast<size_t>(layout.total_rows()));
  for (const QueryBlock& block : layout.blocks->list) {
    for (size_t q = 0; q < block.queries.size(); ++q) {
      const size_t hidden = block.causal ? block.queries.size() - 1 - q : 0;
      const std::vector<int64_t> seen(block.keys.begin(), block.keys.end() - static_cast<int64_t>(hidden));
      const Tensor index = at::tensor(seen, at::kLong);
      std::vector<Tensor> heads;
      for (int64_t h = 0; h < kHeads; ++h) {
        const int64_t shared = h / (kHeads / kKvHeads);
        const Tensor scores =
            at::mv(rows.keys.index_select(0, index).select(1, shared), rows.query[block.queries[q]][h]) /
            std::sqrt(static_cast<double>(width));
        heads.push_back(at::mv(rows.values.index_select(0, index).select(1, shared).t(), scores.softmax(0)));
      }
      out[static_cast<size_t>(block.queries[q])] = at::cat(heads);
    }
  }
  return at::stack(out);
}

std::vector<Tensor> gradients(const Tensor& out, const Rows& rows) {
  const Tensor slope = normal_tensor({.seed = 9}, out.sizes()).to(out.scalar_type());
  return torch::autograd::grad({(out * slope).sum()}, {rows.query, rows.keys, rows.values});
}

Rows copies(const Rows& rows, at::ScalarType type) {
  const auto copy = [&](const Tensor& x) { return x.detach().to(type, false, /*copy=*/true).requires_grad_(); };
  return {copy(rows.query), copy(rows.keys), copy(rows.values)};
}

void expect_exact(int64_t text, int64_t side, int64_t width) {
  const PackLayout layout = lay_out(forest(text, side), 2, 3, -1, at::kCPU);
  const Rows exact_rows = random_rows(layout, layout.total_rows(), width, at::kDouble);
  const Tensor expected = by_hand(layout, exact_rows);
  const std::vector<Tensor> exact = gradients(expected, exact_rows);
  for (const at::ScalarType type : {at::kDouble, at::kFloat}) {
    const Rows rows = copies(exact_rows, type);
    const AttentionPlan loops = plan_attention(layout.blocks, layout.total_rows(), width, rows.query.options());
    ASSERT_TRUE(loops.blocks);
    // In float32, scores of a few units are off by 1e-6, and probabilities with them.
    const Tolerance tolerance{.normalised = type == at::kDouble ? 1e-13 : 1e-5};
    for (const AttentionPlan& plan : {loops, plan_groups(*layout.blocks, layout.total_rows(), rows.query.options())}) {
      const Tensor actual = attend(plan, rows.query, rows.keys, rows.values);
      EXPECT_TRUE(close(actual, expected.to(type), tolerance));
      const std::vector<Tensor> slopes = gradients(actual, rows);
      for (size_t i = 0; i < 3; ++i) EXPECT_TRUE(close(slopes[i], exact[i].to(type), tolerance)) << i;
    }
  }
}

TEST(AttentionTest, LoopsAndGroupsAreTheFormula) {
  expect_exact(9, 3, 8);
  expect_exact(1, 1, 5);     // narrower than a register
  expect_exact(150, 2, 32);  // more queries than a chunk
  expect_exact(7, 11, 16);
}

// What is stored in bfloat16 is computed in float32 and rounded once: the float32 loops on the same numbers, rounded.
TEST(AttentionTest, Bfloat16IsRoundedOnce) {
  const PackLayout layout = lay_out(forest(40, 4), 2, 3, -1, at::kCPU);
  const Rows rows = random_rows(layout, layout.total_rows(), 24, at::kBFloat16), wide = copies(rows, at::kFloat);
  const auto loops = [&](at::ScalarType type) { return plan_attention(layout.blocks, layout.total_rows(), 24, type); };
  ASSERT_TRUE(loops(at::kBFloat16).blocks);
  const Tensor narrow = attend(loops(at::kBFloat16), rows.query, rows.keys, rows.values);
  const Tensor exact = attend(loops(at::kFloat), wide.query, wide.keys, wide.values);
  EXPECT_TRUE(same_bits(narrow, exact.to(at::kBFloat16)));
  const std::vector<Tensor> slopes = gradients(narrow, rows), exact_slopes = gradients(exact, wide);
  // What comes from above is rounded here and not there, to 8 bits of each term of sums that partly cancel.
  for (size_t i = 0; i < 3; ++i)
    EXPECT_TRUE(close(slopes[i], exact_slopes[i].to(at::kBFloat16), {.normalised = 5e-2})) << i;
}

template <class T>
void expect_baseline_agrees(at::ScalarType type, const Tolerance& tolerance) {
  const PackLayout layout = lay_out(forest(70, 4), 2, 3, -1, at::kCPU);
  const Rows rows = random_rows(layout, layout.total_rows(), 24, type);
  const at::NoGradGuard no_grad;
  const Tensor expected =
      attend(plan_attention(layout.blocks, layout.total_rows(), 24, type), rows.query, rows.keys, rows.values);
  Tensor output = at::zeros_like(rows.query), log_sum = at::zeros({rows.query.size(0), kHeads});
  const auto loops = std::get<AttentionLoops<T>>(
      std::make_tuple(baseline::loops.of_float, baseline::loops.of_double, baseline::loops.of_bfloat16));
  for (const QueryBlock& block : layout.blocks->list) {
    for (int64_t head = 0; head < kKvHeads; ++head) {
      const AttentionTask<T> task{.query = static_cast<const T*>(rows.query.const_data_ptr()),
                                  .keys = static_cast<const T*>(rows.keys.const_data_ptr()),
                                  .values = static_cast<const T*>(rows.values.const_data_ptr()),
                                  .query_rows = block.queries.data(),
                                  .queries = static_cast<int64_t>(block.queries.size()),
                                  .key_rows = block.keys.data(),
                                  .key_count = static_cast<int64_t>(block.keys.size()),
                                  .causal = block.causal,
                                  .heads = kHeads,
                                  .kv_heads = kKvHeads,
                                  .width = 24,
                                  .kv_head = head,
                                  .scale = 1 / std::sqrt(24.0F),
                                  .output = static_cast<T*>(output.mutable_data_ptr()),
                                  .log_sum = log_sum.mutable_data_ptr<float>()};
      std::vector<float> scratch(static_cast<size_t>(loops.scratch_size(task)));
      loops.forward(task, scratch.data());
    }
  }
  EXPECT_TRUE(close(output.flatten(1), expected, tolerance));
}

TEST(AttentionTest, EveryInstructionSetOfThisProcessorAgrees) {
  expect_baseline_agrees<float>(at::kFloat, {.normalised = 1e-5});
  expect_baseline_agrees<Bfloat16>(at::kBFloat16, {.normalised = 1e-2});
}

TEST(AttentionTest, ABlockDependsOnNothingElse) {
  const std::vector<Segment> all = forest(20, 4);
  const PackLayout both = lay_out(all, 2, 3, -1, at::kCPU);
  const PackLayout alone = lay_out({all[0], all[1]}, 2, 3, -1, at::kCPU);
  const at::NoGradGuard no_grad;
  for (const at::ScalarType type : {at::kFloat, at::kBFloat16}) {
    const Rows rows = random_rows(both, both.total_rows(), 8, type);
    const Tensor large =
        attend(plan_attention(both.blocks, both.total_rows(), 8, type), rows.query, rows.keys, rows.values);
    const auto first = [&](const Tensor& tensor) { return tensor.narrow(0, 0, alone.total_rows()).contiguous(); };
    const Tensor small = attend(plan_attention(alone.blocks, alone.total_rows(), 8, type), first(rows.query),
                                first(rows.keys), first(rows.values));
    EXPECT_TRUE(same_bits(small, first(large)));
  }
}

TEST(AttentionTest, Float16RunsInGroups) {
  const PackLayout layout = lay_out(forest(3, 2), 2, 3, -1, at::kCPU);
  EXPECT_FALSE(plan_attention(layout.blocks, layout.total_rows(), 8, at::kHalf).blocks);
  EXPECT_EQ(plan_attention(layout.blocks, layout.total_rows(), 8, at::kHalf).groups.size(),
            plan_groups(*layout.blocks, layout.total_rows(), at::kFloat).groups.size());
}

TEST(AttentionGroupTest, LongBlocksAreNotPadded) {
  const std::vector<Segment> segments = {text_segment(std::vector<int64_t>(257, 4), -1, 0),
                                         text_segment(std::vector<int64_t>(5, 4), 0, 257)};
  const AttentionPlan plan = plan_groups(*lay_out(segments, 2, 3, -1, at::kCPU).blocks, 262, at::kFloat);
  ASSERT_EQ(plan.groups.size(), 2u);
  EXPECT_EQ(plan.groups[0].queries, 8);
  EXPECT_EQ(plan.groups[0].keys, 262);
  EXPECT_EQ(plan.groups[1].queries, 257);
  EXPECT_EQ(plan.groups[1].keys, 257);
}

}  // namespace
}  // namespace diptych
