#include "diptych/model/attention/attention.h"

#include <ATen/Parallel.h>

#include <limits>

#include "diptych/model/attention/attention_loops.h"
#include "diptych/tensor/autograd.h"
#include "diptych/tensor/device.h"

namespace diptych {

namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

// --- Groups ---------------------------------------------------------------------------------------------------------

// Blocks of nearby lengths share one padded shape: fewer, larger kernels. The padded length depends on the block's own
// length alone, so a sample's shapes do not depend on its neighbours. Long blocks stay exact.
constexpr int64_t kQueryMultiple = 4;
constexpr int64_t kKeyMultiple = 8;
constexpr int64_t kExactFrom = 256;

int64_t padded(int64_t length, int64_t multiple) {
  return length >= kExactFrom ? length : (length + multiple - 1) / multiple * multiple;
}

// Padded queries may see everything: their outputs are never read, and a row that sees nothing would be NaN.
Tensor block_mask(const QueryBlock& block, int64_t queries, int64_t keys) {
  Tensor mask = at::zeros({queries, keys}, at::kFloat);
  const auto own = static_cast<int64_t>(block.queries.size());
  const auto seen = static_cast<int64_t>(block.keys.size());
  const float hidden = -std::numeric_limits<float>::infinity();
  float* row = mask.mutable_data_ptr<float>();
  for (int64_t q = 0; q < own; ++q, row += keys) {
    const int64_t visible = block.causal ? seen - own + q + 1 : seen;
    std::fill(row + visible, row + keys, hidden);
  }
  return mask;
}

// The query heads that share a key head become more query rows of that head: [batch, K, (H / K) queries, d].
Tensor attend_group(const AttentionGroup& group, const Tensor& query, const Tensor& keys, const Tensor& values) {
  const int64_t kv_heads = keys.size(1);
  const int64_t width = keys.size(2);
  const int64_t shared = query.size(1) / kv_heads;
  const auto block = [&](const Tensor& source) {
    return source.index_select(0, group.key_rows).view({group.batch, group.keys, kv_heads, width}).transpose(1, 2);
  };
  const Tensor folded = query.index_select(0, group.query_rows)
                            .view({group.batch, group.queries, kv_heads, shared, width})
                            .permute({0, 2, 3, 1, 4})
                            .reshape({group.batch, kv_heads, shared * group.queries, width});
  std::optional<Tensor> mask;
  if (group.mask.defined()) mask = group.mask.repeat({1, 1, shared, 1});
  const Tensor out = at::scaled_dot_product_attention(folded, block(keys), block(values), mask);
  return out.view({group.batch, kv_heads, shared, group.queries, width})
      .permute({0, 3, 1, 2, 4})
      .reshape({group.batch * group.queries, kv_heads * shared * width});
}

// --- Sequences ------------------------------------------------------------------------------------------------------

// What the kernels of flash attention take.
constexpr int64_t kFlashWidthMultiple = 8;
constexpr int64_t kFlashWidest = 256;

// Causal blocks are the last tokens of their keys, as flash attention aligns them too (since its version 2.1).
Tensor attend_sequences(const AttentionSequences& sequences, const Tensor& query, const Tensor& keys,
                        const Tensor& values) {
  const auto [output, log_sum, seed, unused, debug_mask] = at::_flash_attention_forward(
      query.index_select(0, sequences.query_rows), keys.index_select(0, sequences.key_rows),
      values.index_select(0, sequences.key_rows), sequences.query_ends, sequences.key_ends, sequences.longest_query,
      sequences.longest_keys, /*dropout_p=*/0.0, sequences.causal, /*return_debug_mask=*/false);
  return output.flatten(1);
}

// --- Loops ----------------------------------------------------------------------------------------------------------

constexpr double kFlopsPerTask = 1e5;  // below, a thread is not worth waking

/** What a block and a key head cost, forward. */
double flops_of(const QueryBlock& block, const Tensor& query) {
  return 4.0 * static_cast<double>(block.queries.size() * block.keys.size()) * static_cast<double>(query.numel()) /
         static_cast<double>(query.size(0));
}

/** The numbers of a tensor as the loops know them. */
template <class T>
const T* numbers(const Tensor& tensor) {
  return static_cast<const T*>(tensor.const_data_ptr());
}

template <class T>
T* mutable_numbers(const Tensor& tensor) {
  return static_cast<T*>(tensor.mutable_data_ptr());
}

/** What the loops read, and what they write on the way forward. */
struct LoopTensors {
  Tensor query;  // [rows, heads, width], as the output
  Tensor keys;   // [rows, kv_heads, width], as the values
  Tensor values;
  Tensor output;
  Tensor log_sum;  // [rows, heads]
};

/** What they write on the way back, each as the tensor that it is the gradient of. */
struct LoopGradients {
  Tensor query;
  Tensor keys;
  Tensor values;
};

template <class T>
AttentionTask<T> task_of(const QueryBlock& block, int64_t kv_head, const LoopTensors& tensors) {
  const auto& [query, keys, values, output, log_sum] = tensors;
  return {.query = numbers<T>(query),
          .keys = numbers<T>(keys),
          .values = numbers<T>(values),
          .query_rows = block.queries.data(),
          .queries = static_cast<int64_t>(block.queries.size()),
          .key_rows = block.keys.data(),
          .key_count = static_cast<int64_t>(block.keys.size()),
          .causal = block.causal,
          .heads = query.size(1),
          .kv_heads = keys.size(1),
          .width = keys.size(2),
          .kv_head = kv_head,
          .scale = Computed<T>(1) / std::sqrt(static_cast<Computed<T>>(keys.size(2))),
          .output = mutable_numbers<T>(output),
          .log_sum = mutable_numbers<Computed<T>>(log_sum)};
}

template <class T>
Computed<T>* scratch_of(const AttentionTask<T>& task, std::vector<Computed<T>>& scratch) {
  const auto size = static_cast<size_t>(attention_loops<T>().scratch_size(task));
  if (scratch.size() < size) scratch.resize(size);
  return scratch.data();
}

template <class T>
void run_forward(const QueryBlocks& blocks, const LoopTensors& tensors) {
  const int64_t kv_heads = tensors.keys.size(1);
  double flops = 0;
  for (const QueryBlock& block : blocks.list) flops += flops_of(block, tensors.query);
  const auto tasks = static_cast<int64_t>(blocks.list.size()) * kv_heads;
  if (tasks == 0) return;
  const auto grain = static_cast<int64_t>(static_cast<double>(tasks) * kFlopsPerTask / flops) + 1;
  at::parallel_for(0, tasks, grain, [&](int64_t begin, int64_t end) {
    std::vector<Computed<T>> scratch;
    for (int64_t i = begin; i < end; ++i) {
      const QueryBlock& block = blocks.list[static_cast<size_t>(i / kv_heads)];
      const AttentionTask<T> task = task_of<T>(block, i % kv_heads, tensors);
      attention_loops<T>().forward(task, scratch_of(task, scratch));
    }
  });
}

// Blocks of one tree add to the gradients of the same keys: they stay together, in their order.
template <class T>
void run_backward(const QueryBlocks& blocks, const LoopTensors& tensors, const Tensor& upstream,
                  const LoopGradients& written) {
  const int64_t kv_heads = tensors.keys.size(1);
  std::vector<std::vector<const QueryBlock*>> trees(static_cast<size_t>(blocks.trees));
  for (const QueryBlock& block : blocks.list) trees[static_cast<size_t>(block.tree)].push_back(&block);
  const AttentionGradients<T> gradients{numbers<T>(upstream), mutable_numbers<T>(written.query),
                                        mutable_numbers<Computed<T>>(written.keys),
                                        mutable_numbers<Computed<T>>(written.values)};
  at::parallel_for(0, blocks.trees * kv_heads, 1, [&](int64_t begin, int64_t end) {
    std::vector<Computed<T>> scratch;
    for (int64_t i = begin; i < end; ++i) {
      for (const QueryBlock* block : trees[static_cast<size_t>(i / kv_heads)]) {
        const AttentionTask<T> task = task_of<T>(*block, i % kv_heads, tensors);
        attention_loops<T>().backward(task, gradients, scratch_of(task, scratch));
      }
    }
  });
}

bool has_loops(at::ScalarType type) {
  return type == at::kFloat || type == at::kDouble || type == at::kBFloat16;
}

at::ScalarType computed_type(const Tensor& tensor) {
  return tensor.scalar_type() == at::kDouble ? at::kDouble : at::kFloat;
}

template <class Work>
void with_type_of(const Tensor& tensor, const Work& work) {
  if (tensor.scalar_type() == at::kFloat) return work.template operator()<float>();
  if (tensor.scalar_type() == at::kDouble) return work.template operator()<double>();
  work.template operator()<Bfloat16>();
}

class LoopAttention : public torch::autograd::Function<LoopAttention> {
 public:
  static Tensor forward(AutogradContext* context, const c10::intrusive_ptr<QueryBlocks>& blocks, const Tensor& query_in,
                        const Tensor& keys_in, const Tensor& values_in) {
    const Tensor query = query_in.contiguous();
    const LoopTensors tensors = {
        .query = query,
        .keys = keys_in.contiguous(),
        .values = values_in.contiguous(),
        .output = at::empty_like(query),
        .log_sum = at::empty({query.size(0), query.size(1)}, query.options().dtype(computed_type(query)))};
    with_type_of(query, [&]<class T>() { run_forward<T>(*blocks, tensors); });
    context->save_for_backward({tensors.query, tensors.keys, tensors.values, tensors.output, tensors.log_sum});
    context->saved_data["blocks"] = c10::IValue::make_capsule(blocks);
    return tensors.output;
  }

  static variable_list backward(AutogradContext* context, variable_list gradients) {
    const variable_list saved = context->get_saved_variables();
    const LoopTensors tensors = {saved[0], saved[1], saved[2], saved[3], saved[4]};
    const auto blocks = c10::static_intrusive_pointer_cast<QueryBlocks>(context->saved_data["blocks"].toCapsule());
    const Tensor upstream = gradients[0].contiguous();
    const at::ScalarType type = tensors.keys.scalar_type();
    const LoopGradients written = {.query = at::empty_like(tensors.query),
                                   .keys = at::zeros_like(tensors.keys, computed_type(tensors.keys)),
                                   .values = at::zeros_like(tensors.values, computed_type(tensors.values))};
    with_type_of(tensors.query, [&]<class T>() { run_backward<T>(*blocks, tensors, upstream, written); });
    return {Tensor(), written.query, written.keys.to(type), written.values.to(type)};
  }
};

}  // namespace

c10::intrusive_ptr<QueryBlocks> whole_blocks(const std::vector<int64_t>& lengths) {
  auto blocks = c10::make_intrusive<QueryBlocks>();
  int64_t begin = 0;
  for (const int64_t length : lengths) {
    QueryBlock block;
    for (int64_t row = begin; row < begin + length; ++row) block.queries.push_back(row);
    block.keys = block.queries;
    block.tree = blocks->trees++;
    blocks->list.push_back(std::move(block));
    begin += length;
  }
  return blocks;
}

namespace {

/** Where the rows of a pack come to lie in the outputs of a plan's parts, in the order in which those are added. */
struct OutputRows {
  std::vector<int64_t> gather;
  int64_t next = 0;

  /** Rows of a block; `padded` of them. */
  void place(const std::vector<int64_t>& queries, int64_t padded) {
    for (size_t q = 0; q < queries.size(); ++q)
      gather[static_cast<size_t>(queries[q])] = next + static_cast<int64_t>(q);
    next += padded;
  }
};

using Blocks = std::vector<const QueryBlock*>;

GroupShape shape_of(const QueryBlock& block) {
  const auto keys = static_cast<int64_t>(block.keys.size());
  const int64_t padded_keys = padded(keys, kKeyMultiple);
  return {padded(static_cast<int64_t>(block.queries.size()), kQueryMultiple), padded_keys,
          block.causal || padded_keys != keys};
}

void add_groups(const Blocks& blocks, const at::TensorOptions& options, AttentionPlan& plan, OutputRows& output) {
  std::map<GroupShape, Blocks> groups;
  for (const QueryBlock* block : blocks) groups[shape_of(*block)].push_back(block);
  for (const auto& [shape, members] : groups) {
    AttentionGroup group;
    group.batch = static_cast<int64_t>(members.size());
    group.queries = shape.queries;
    group.keys = shape.keys;
    std::vector<int64_t> query_rows;
    std::vector<int64_t> key_rows;
    std::vector<Tensor> masks;
    for (const QueryBlock* block : members) {
      output.place(block->queries, group.queries);
      query_rows.insert(query_rows.end(), block->queries.begin(), block->queries.end());
      query_rows.insert(query_rows.end(), group.queries - block->queries.size(), block->queries.front());
      key_rows.insert(key_rows.end(), block->keys.begin(), block->keys.end());
      key_rows.insert(key_rows.end(), group.keys - block->keys.size(), block->keys.front());
      if (shape.masked) masks.push_back(block_mask(*block, group.queries, group.keys));
    }
    group.query_rows = index_on(query_rows, options.device());
    group.key_rows = index_on(key_rows, options.device());
    if (!masks.empty()) group.mask = on_device(at::stack(masks).unsqueeze(1), options);
    plan.groups.push_back(std::move(group));
  }
}

void add_sequences(const Blocks& blocks, at::Device device, AttentionPlan& plan, OutputRows& output) {
  for (const bool causal : {false, true}) {
    AttentionSequences sequences;
    sequences.causal = causal;
    std::vector<int64_t> query_rows, key_rows;
    std::vector<int32_t> query_ends = {0}, key_ends = {0};
    for (const QueryBlock* block : blocks) {
      if (block->causal != causal) continue;
      output.place(block->queries, static_cast<int64_t>(block->queries.size()));
      query_rows.insert(query_rows.end(), block->queries.begin(), block->queries.end());
      key_rows.insert(key_rows.end(), block->keys.begin(), block->keys.end());
      query_ends.push_back(static_cast<int32_t>(query_rows.size()));
      key_ends.push_back(static_cast<int32_t>(key_rows.size()));
      sequences.longest_query = std::max(sequences.longest_query, static_cast<int64_t>(block->queries.size()));
      sequences.longest_keys = std::max(sequences.longest_keys, static_cast<int64_t>(block->keys.size()));
    }
    if (query_rows.empty()) continue;
    sequences.query_rows = index_on(query_rows, device);
    sequences.key_rows = index_on(key_rows, device);
    sequences.query_ends = on_device(at::tensor(query_ends, at::kInt), device);
    sequences.key_ends = on_device(at::tensor(key_ends, at::kInt), device);
    plan.sequences.push_back(std::move(sequences));
  }
}

/** Blocks whose batched attention needs neither padding nor mask, which is faster there than sequences are: images of
 *  one size behind contexts of one length. The rest is put into `others`. */
Blocks alike(const QueryBlocks& blocks, Blocks& others) {
  std::map<std::pair<size_t, size_t>, Blocks> shapes;
  for (const QueryBlock& block : blocks.list) {
    const bool can = !block.causal && static_cast<int64_t>(block.queries.size()) >= kExactFrom;
    (can ? shapes[{block.queries.size(), block.keys.size()}] : others).push_back(&block);
  }
  Blocks alike;
  for (const auto& [shape, members] : shapes) {
    Blocks& into = members.size() > 1 ? alike : others;
    into.insert(into.end(), members.begin(), members.end());
  }
  return alike;
}

Blocks all_of(const QueryBlocks& blocks) {
  Blocks all;
  for (const QueryBlock& block : blocks.list) all.push_back(&block);
  return all;
}

}  // namespace

std::map<GroupShape, int64_t> group_shapes(const QueryBlocks& blocks) {
  std::map<GroupShape, int64_t> shapes;
  for (const QueryBlock& block : blocks.list) ++shapes[shape_of(block)];
  return shapes;
}

AttentionPlan plan_groups(const QueryBlocks& blocks, int64_t rows, const at::TensorOptions& options) {
  AttentionPlan plan;
  OutputRows output{std::vector<int64_t>(static_cast<size_t>(rows))};
  add_groups(all_of(blocks), options, plan, output);
  plan.gather = index_on(output.gather, options.device());
  return plan;
}

AttentionPlan plan_sequences(const QueryBlocks& blocks, int64_t rows, const at::TensorOptions& options) {
  AttentionPlan plan;
  OutputRows output{std::vector<int64_t>(static_cast<size_t>(rows))};
  Blocks others;
  const Blocks batched = alike(blocks, others);
  add_sequences(others, options.device(), plan, output);
  add_groups(batched, options, plan, output);
  plan.gather = index_on(output.gather, options.device());
  return plan;
}

AttentionPlan plan_attention(const c10::intrusive_ptr<QueryBlocks>& blocks, int64_t rows, int64_t width,
                             const at::TensorOptions& options) {
  const at::ScalarType type = c10::typeMetaToScalarType(options.dtype());
  if (options.device().is_cpu() && has_loops(type)) {
    AttentionPlan plan;
    plan.blocks = blocks;
    return plan;
  }
  const bool has_flash_attention =
      !options.device().is_cpu() && type == at::kBFloat16 && width % kFlashWidthMultiple == 0 && width <= kFlashWidest;
  return has_flash_attention ? plan_sequences(*blocks, rows, options) : plan_groups(*blocks, rows, options);
}

Tensor attend(const AttentionPlan& plan, const Tensor& query, const Tensor& keys, const Tensor& values) {
  if (plan.blocks) return LoopAttention::apply(plan.blocks, query, keys, values).flatten(1);
  std::vector<Tensor> outputs;
  for (const AttentionSequences& sequences : plan.sequences)
    outputs.push_back(attend_sequences(sequences, query, keys, values));
  for (const AttentionGroup& group : plan.groups) outputs.push_back(attend_group(group, query, keys, values));
  const Tensor all = outputs.size() == 1 ? outputs.front() : at::cat(outputs);
  return all.index_select(0, plan.gather);
}

}  // namespace diptych
