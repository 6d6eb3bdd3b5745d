#pragma once
// Attention of one block of a pack on the CPU: plain loops over rows, free of torch, compiled once for each instruction
// set (attention_loops_*.cpp) and chosen when the program runs.

#include <cstdint>

namespace diptych {

/** A number of bfloat16 as it lies in memory: the upper half of a float. */
struct Bfloat16 {
  uint16_t bits;
};

/** What numbers stored as T are computed in. */
template <class T>
struct ComputedAs {
  using Type = T;
};
template <>
struct ComputedAs<Bfloat16> {
  using Type = float;
};
template <class T>
using Computed = typename ComputedAs<T>::Type;

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
  Computed<T> scale;     // of the products of queries and keys
  T* output;             // [pack rows, heads * width], written at the block's query rows
  Computed<T>* log_sum;  // [pack rows, heads], log of the sum of exponentials, likewise
};

/** What the backward pass has beside that. */
template <class T>
struct AttentionGradients {
  const T* output;      // [pack rows, heads * width], upstream
  T* query;             // [pack rows, heads * width], written at the block's query rows
  Computed<T>* keys;    // [source rows, kv_heads * width], added to
  Computed<T>* values;  // [source rows, kv_heads * width], added to
};

/** Functions of one instruction set. `scratch` holds scratch_size(task) numbers of any value. A block's result depends
 * on nothing but the block. */
template <class T>
struct AttentionLoops {
  int64_t (*scratch_size)(const AttentionTask<T>& task);
  void (*forward)(const AttentionTask<T>& task, Computed<T>* scratch);
  void (*backward)(const AttentionTask<T>& task, const AttentionGradients<T>& gradients, Computed<T>* scratch);
};

enum class InstructionSet { baseline, avx2, avx512 };

/** The widest that this processor and the variable ATEN_CPU_CAPABILITY allow, read once. torch's own kernels heed the
 *  variable too: it lowers both. */
InstructionSet instruction_set();

/** As ATEN_CPU_CAPABILITY spells it: "default", "avx2", "avx512". */
const char* name_of(InstructionSet set);

/** Whether the processor multiplies bfloat16 itself (AVX512-BF16, which all with AMX have too). */
bool has_bfloat16_products();

/** The loops of instruction_set(). */
template <class T>
const AttentionLoops<T>& attention_loops();

/** The loops of one instruction set, for every type of number. */
struct AttentionLoopSet {
  AttentionLoops<float> of_float;
  AttentionLoops<double> of_double;
  AttentionLoops<Bfloat16> of_bfloat16;
};

namespace baseline {
extern const AttentionLoopSet loops;
}
namespace avx2 {
extern const AttentionLoopSet loops;
}
namespace avx512 {
extern const AttentionLoopSet loops;
}

}  // namespace diptych
