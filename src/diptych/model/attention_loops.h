#pragma once
// Attention of one block of a pack on the CPU: plain loops over rows, free of torch, compiled once for each instruction
// set (attention_loops_*.cpp) and chosen when the program runs.

#include <cstdint>

namespace diptych {

/** One block of queries, one key head, and the query heads that share it. Rows of all tensors are contiguous. */
template <class T>
struct AttentionTask {
  const T* query;   // [pack rows, heads * width]
  const T* keys;    // [source rows, kv_heads * width]
  const T* values;  // [source rows, kv_heads * width]
  const int64_t* query_rows;
  int64_t queries;
  const int64_t* key_rows;
  int64_t key_count;
  bool causal;  // query i sees all but the last (queries - 1 - i) keys
  int64_t heads, kv_heads, width;
  int64_t kv_head;
  T scale;     // of the products of queries and keys
  T* output;   // [pack rows, heads * width], written at the block's query rows
  T* log_sum;  // [pack rows, heads], log of the sum of exponentials, likewise
};

/** What the backward pass has beside that. */
template <class T>
struct AttentionGradients {
  const T* output;  // [pack rows, heads * width], upstream
  T* query;         // [pack rows, heads * width], written at the block's query rows
  T* keys;          // [source rows, kv_heads * width], added to
  T* values;        // [source rows, kv_heads * width], added to
};

/** Functions of one instruction set. `scratch` holds scratch_size(task) numbers of any value. A block's result depends
 * on nothing but the block. */
template <class T>
struct AttentionLoops {
  int64_t (*scratch_size)(const AttentionTask<T>& task);
  void (*forward)(const AttentionTask<T>& task, T* scratch);
  void (*backward)(const AttentionTask<T>& task, const AttentionGradients<T>& gradients, T* scratch);
};

/** The fastest that this processor runs. */
template <class T>
const AttentionLoops<T>& attention_loops();

namespace baseline {
extern const AttentionLoops<float> float_loops;
extern const AttentionLoops<double> double_loops;
}  // namespace baseline
namespace avx2 {
extern const AttentionLoops<float> float_loops;
extern const AttentionLoops<double> double_loops;
}  // namespace avx2
namespace avx512 {
extern const AttentionLoops<float> float_loops;
extern const AttentionLoops<double> double_loops;
}  // namespace avx512

}  // namespace diptych
