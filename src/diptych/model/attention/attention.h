#pragma once
// Attention over the rows of a pack: every block of the layout attends to the keys that it sees.

#include <map>

#include "diptych/model/attention/pack_layout.h"

namespace diptych {

/** Query blocks of equal padded shape, run as one batched attention. */
struct AttentionGroup {
  int64_t batch = 0;
  int64_t queries = 0;  // padded query tokens per block
  int64_t keys = 0;     // padded visible tokens per block
  Tensor query_rows;    // [batch * queries] rows of the pack
  Tensor key_rows;      // [batch * keys] rows of the key source (see PackLayout)
  Tensor mask;          // undefined, or [batch, 1, queries, keys] with 0 and -inf
};

/** Query blocks one behind the other, each as long as it is, run as one flash attention. */
struct AttentionSequences {
  bool causal = false;
  Tensor query_rows;          // [sum of lengths] rows of the pack
  Tensor key_rows;            // [sum of lengths] rows of the key source (see PackLayout)
  Tensor query_ends;          // [blocks + 1] int32, cumulative lengths from 0
  Tensor key_ends;            // [blocks + 1] int32
  int64_t longest_query = 0;  // of any block
  int64_t longest_keys = 0;
};

/** How the attention of one pack runs, the same in every layer. */
struct AttentionPlan {
  c10::intrusive_ptr<QueryBlocks> blocks;     // on the CPU: loops over the rows in place
  std::vector<AttentionSequences> sequences;  // elsewhere: flash attention, at most two calls
  std::vector<AttentionGroup> groups;         // batches of scaled_dot_product_attention: the rest, or all
  Tensor gather;                              // [rows] row of each token in the concatenated outputs of these
};

/** Blocks of `lengths` rows, one behind the other, each of which sees itself whole: images by themselves. */
c10::intrusive_ptr<QueryBlocks> whole_blocks(const std::vector<int64_t>& lengths);

/** The sizes of a group. */
struct GroupShape {
  int64_t queries = 0;
  int64_t keys = 0;
  bool masked = false;

  auto operator<=>(const GroupShape&) const = default;
};

/** The groups of plan_groups, and how many blocks are in each. */
std::map<GroupShape, int64_t> group_shapes(const QueryBlocks& blocks);

/** Groups for any device and dtype. `rows`: of the pack. */
AttentionPlan plan_groups(const QueryBlocks& blocks, int64_t rows, const at::TensorOptions& options);

/** For a device with flash attention, which CPUs have not: blocks of more than 256 queries that are alike in groups,
 *  which are faster, the others as sequences. `rows`: of the pack. */
AttentionPlan plan_sequences(const QueryBlocks& blocks, int64_t rows, const at::TensorOptions& options);

/** The way for this device, dtype and width of a head. */
AttentionPlan plan_attention(const c10::intrusive_ptr<QueryBlocks>& blocks, int64_t rows, int64_t width,
                             const at::TensorOptions& options);

/** softmax(q k^T / sqrt(d)) v of every row over what its block sees: query [rows, H, d], keys and values
 *  [key source, K, d], query head h attends with key head h / (H / K). Returns [rows, H d]. In loops, a block's result
 *  depends on nothing but the block, and gradients do not depend on the number of threads. */
Tensor attend(const AttentionPlan& plan, const Tensor& query, const Tensor& keys, const Tensor& values);

}  // namespace diptych
