// The loops of attention_loops.h. Included by one file for each instruction set, which defines
//   DIPTYCH_LOOPS          the namespace to put them in
//   DIPTYCH_VECTOR_BYTES   the width of its vector registers
// Everything has internal linkage, so that the linker cannot give one file's code to another.

#include "diptych/model/attention/attention_loops.h"
#include "diptych/model/layers/vector_exponential.h"

namespace diptych::DIPTYCH_LOOPS {

namespace {

constexpr int64_t kChunkRows = 96;  // query rows whose scores are alive at once

template <class T>
struct Vector {
  static constexpr int64_t kLanes = DIPTYCH_VECTOR_BYTES / sizeof(T);
  typedef T Type __attribute__((vector_size(DIPTYCH_VECTOR_BYTES), aligned(sizeof(T)), may_alias));
};

// Products are computed in tiles of kColumns columns, so matrices on the right are padded to that.
template <class T>
constexpr int64_t kColumns = 2 * Vector<T>::kLanes;

template <class T>
int64_t padded(int64_t count) {
  return (count + kColumns<T> - 1) / kColumns<T> * kColumns<T>;
}

inline float widened(float x) {
  return x;
}

inline double widened(double x) {
  return x;
}

inline float widened(Bfloat16 x) {
  return __builtin_bit_cast(float, static_cast<uint32_t>(x.bits) << 16);
}

inline void store(float x, float& to) {
  to = x;
}

inline void store(double x, double& to) {
  to = x;
}

// To the nearest, ties to even, as ATen rounds.
inline void store(float x, Bfloat16& to) {
  const auto bits = __builtin_bit_cast(uint32_t, x);
  const uint32_t rounded = (bits + 0x7FFF + ((bits >> 16) & 1)) >> 16;
  to.bits = static_cast<uint16_t>(x != x ? 0x7FC0 : rounded);
}

// A matrix on the left of a product: element (i, k) at data[i * row + k * column].
template <class T>
struct Left {
  const T* data;
  int64_t row;
  int64_t column;
};

template <class T, int Rows, bool Add>
inline void tile(const Left<T>& left, const T* right, int64_t right_row, T* out, int64_t out_row, int64_t inner) {
  using Lanes = typename Vector<T>::Type;
  Lanes sums[Rows][2];
  for (int r = 0; r < Rows; ++r) {
    const auto* start = reinterpret_cast<const Lanes*>(out + r * out_row);
    sums[r][0] = Add ? start[0] : Lanes{};
    sums[r][1] = Add ? start[1] : Lanes{};
  }
  for (int64_t k = 0; k < inner; ++k) {
    const auto* columns = reinterpret_cast<const Lanes*>(right + k * right_row);
    const Lanes first = columns[0], second = columns[1];
    const T* factors = left.data + k * left.column;
    for (int r = 0; r < Rows; ++r) {
      const T factor = factors[r * left.row];
      sums[r][0] += factor * first;
      sums[r][1] += factor * second;
    }
  }
  for (int r = 0; r < Rows; ++r) {
    auto* end = reinterpret_cast<Lanes*>(out + r * out_row);
    end[0] = sums[r][0];
    end[1] = sums[r][1];
  }
}

// out [rows, columns] = (or +=) left [rows, inner] right [inner, columns]; columns a multiple of kColumns.
template <class T, bool Add>
void multiply(Left<T> left, const T* right, int64_t right_row, T* out, int64_t rows, int64_t columns, int64_t inner) {
  for (int64_t column = 0; column < columns; column += kColumns<T>) {
    Left<T> here = left;
    T* to = out + column;
    int64_t remaining = rows;
    const auto run = [&]<int Rows>() {
      tile<T, Rows, Add>(here, right + column, right_row, to, columns, inner);
      here.data += Rows * left.row;
      to += Rows * columns;
      remaining -= Rows;
    };
    while (remaining >= 6) run.template operator()<6>();
    if (remaining >= 4) run.template operator()<4>();
    if (remaining >= 2) run.template operator()<2>();
    if (remaining >= 1) run.template operator()<1>();
  }
}

template <class T>
struct Sizes {
  explicit Sizes(const AttentionTask<T>& task)
      : shared(task.heads / task.kv_heads),
        chunk(kChunkRows / shared > 0 ? kChunkRows / shared : 1),
        rows((chunk < task.queries ? chunk : task.queries) * shared),
        keys(padded<Computed<T>>(task.key_count)),
        width(padded<Computed<T>>(task.width)) {}

  int64_t shared;  // query heads that share the key head
  int64_t chunk;   // queries at once
  int64_t rows;    // query rows at once, one for each query and shared head
  int64_t keys;    // padded
  int64_t width;   // padded
};

template <class T>
int64_t scratch_size(const AttentionTask<T>& task) {
  const Sizes<T> size(task);
  return 4 * size.rows * size.width + 2 * size.rows * size.keys + 2 * task.width * size.keys +
         4 * task.key_count * size.width + size.rows;
}

// Rows of the block side by side: [count, padded width], `heads` of them from each row of the source.
template <class T>
void gather(const T* source, int64_t source_width, int64_t offset, const int64_t* rows, int64_t count, int64_t heads,
            int64_t width, int64_t padded_width, Computed<T> factor, Computed<T>* out) {
  for (int64_t i = 0; i < count; ++i) {
    const T* from = source + rows[i] * source_width + offset;
    for (int64_t h = 0; h < heads; ++h, out += padded_width) {
      for (int64_t c = 0; c < width; ++c) out[c] = widened(from[h * width + c]) * factor;
      for (int64_t c = width; c < padded_width; ++c) out[c] = 0;
    }
  }
}

// [width, padded count]
template <class T>
void gather_transposed(const T* source, int64_t source_width, int64_t offset, const int64_t* rows, int64_t count,
                       int64_t padded_count, int64_t width, Computed<T>* out) {
  for (int64_t i = 0; i < count; ++i) {
    const T* from = source + rows[i] * source_width + offset;
    for (int64_t c = 0; c < width; ++c) out[c * padded_count + i] = widened(from[c]);
  }
  for (int64_t c = 0; c < width; ++c)
    for (int64_t i = count; i < padded_count; ++i) out[c * padded_count + i] = 0;
}

inline float logarithm(float x) {
  return __builtin_logf(x);
}

inline double logarithm(double x) {
  return __builtin_log(x);
}

template <class T>
int64_t visible_keys(const AttentionTask<T>& task, int64_t query) {
  return task.causal ? task.key_count - task.queries + query + 1 : task.key_count;
}

// Scores become probabilities; what is not visible becomes 0. Returns the log of the sum of exponentials.
template <class T>
T softmax(T* scores, int64_t visible, int64_t columns) {
  T largest = scores[0];
  for (int64_t k = 1; k < visible; ++k) largest = scores[k] > largest ? scores[k] : largest;
  for (int64_t k = 0; k < visible; ++k) scores[k] = exponential(scores[k] - largest);
  T partial[8] = {};
  int64_t k = 0;
  for (; k + 8 <= visible; k += 8)
    for (int64_t lane = 0; lane < 8; ++lane) partial[lane] += scores[k + lane];
  T sum = 0;
  for (; k < visible; ++k) sum += scores[k];
  for (const T part : partial) sum += part;
  const T inverse = T(1) / sum;
  for (k = 0; k < visible; ++k) scores[k] *= inverse;
  for (k = visible; k < columns; ++k) scores[k] = 0;
  return largest + logarithm(sum);
}

template <class T>
void forward(const AttentionTask<T>& task, Computed<T>* scratch) {
  using C = Computed<T>;
  const Sizes<T> size(task);
  const int64_t query_width = task.heads * task.width, key_width = task.kv_heads * task.width;
  const int64_t query_offset = task.kv_head * size.shared * task.width, key_offset = task.kv_head * task.width;
  C* query = scratch;
  C* out = query + size.rows * size.width;
  C* scores = out + size.rows * size.width;
  C* keys = scores + size.rows * size.keys;  // transposed
  C* values = keys + task.width * size.keys;
  gather_transposed(task.keys, key_width, key_offset, task.key_rows, task.key_count, size.keys, task.width, keys);
  gather(task.values, key_width, key_offset, task.key_rows, task.key_count, 1, task.width, size.width, C(1), values);
  for (int64_t begin = 0; begin < task.queries; begin += size.chunk) {
    const int64_t count = task.queries - begin < size.chunk ? task.queries - begin : size.chunk;
    const int64_t rows = count * size.shared;
    gather(task.query, query_width, query_offset, task.query_rows + begin, count, size.shared, task.width, size.width,
           task.scale, query);
    multiply<C, false>({query, size.width, 1}, keys, size.keys, scores, rows, size.keys, task.width);
    for (int64_t r = 0; r < rows; ++r) {
      const int64_t row = task.query_rows[begin + r / size.shared];
      task.log_sum[row * task.heads + task.kv_head * size.shared + r % size.shared] =
          softmax(scores + r * size.keys, visible_keys(task, begin + r / size.shared), size.keys);
    }
    multiply<C, false>({scores, size.keys, 1}, values, size.width, out, rows, size.width, task.key_count);
    for (int64_t r = 0; r < rows; ++r) {
      T* to = task.output + task.query_rows[begin + r / size.shared] * query_width + query_offset +
              r % size.shared * task.width;
      for (int64_t c = 0; c < task.width; ++c) store(out[r * size.width + c], to[c]);
    }
  }
}

template <class T>
void add_rows(const T* block, int64_t padded_width, const int64_t* rows, int64_t count, int64_t width, int64_t offset,
              int64_t target_width, T* target) {
  for (int64_t i = 0; i < count; ++i) {
    T* to = target + rows[i] * target_width + offset;
    for (int64_t c = 0; c < width; ++c) to[c] += block[i * padded_width + c];
  }
}

// With P the probabilities and D the upstream gradient: dV = P' D, dS = P (D V' - rowsum(D O)), dQ = s dS K,
// dK = s dS' Q. P is computed again from the scores and their log-sums.
template <class T>
void backward(const AttentionTask<T>& task, const AttentionGradients<T>& gradients, Computed<T>* scratch) {
  using C = Computed<T>;
  const Sizes<T> size(task);
  const int64_t query_width = task.heads * task.width, key_width = task.kv_heads * task.width;
  const int64_t query_offset = task.kv_head * size.shared * task.width, key_offset = task.kv_head * task.width;
  C* query = scratch;
  C* upstream = query + size.rows * size.width;
  C* output = upstream + size.rows * size.width;
  C* query_gradient = output + size.rows * size.width;
  C* scores = query_gradient + size.rows * size.width;
  C* slopes = scores + size.rows * size.keys;
  C* keys_across = slopes + size.rows * size.keys;  // transposed
  C* values_across = keys_across + task.width * size.keys;
  C* keys = values_across + task.width * size.keys;
  C* key_gradient = keys + task.key_count * size.width;
  C* value_gradient = key_gradient + task.key_count * size.width;
  gather_transposed(task.keys, key_width, key_offset, task.key_rows, task.key_count, size.keys, task.width,
                    keys_across);
  gather_transposed(task.values, key_width, key_offset, task.key_rows, task.key_count, size.keys, task.width,
                    values_across);
  gather(task.keys, key_width, key_offset, task.key_rows, task.key_count, 1, task.width, size.width, C(1), keys);
  for (int64_t i = 0; i < 2 * task.key_count * size.width; ++i) key_gradient[i] = 0;
  for (int64_t begin = 0; begin < task.queries; begin += size.chunk) {
    const int64_t count = task.queries - begin < size.chunk ? task.queries - begin : size.chunk;
    const int64_t rows = count * size.shared;
    const int64_t* query_rows = task.query_rows + begin;
    gather(task.query, query_width, query_offset, query_rows, count, size.shared, task.width, size.width, task.scale,
           query);
    gather(gradients.output, query_width, query_offset, query_rows, count, size.shared, task.width, size.width, C(1),
           upstream);
    gather(static_cast<const T*>(task.output), query_width, query_offset, query_rows, count, size.shared, task.width,
           size.width, C(1), output);
    multiply<C, false>({query, size.width, 1}, keys_across, size.keys, scores, rows, size.keys, task.width);
    multiply<C, false>({upstream, size.width, 1}, values_across, size.keys, slopes, rows, size.keys, task.width);
    for (int64_t r = 0; r < rows; ++r) {
      const int64_t row = query_rows[r / size.shared];
      const C log_sum = task.log_sum[row * task.heads + task.kv_head * size.shared + r % size.shared];
      const int64_t visible = visible_keys(task, begin + r / size.shared);
      C* probability = scores + r * size.keys;
      C* slope = slopes + r * size.keys;
      C pull = 0;
      for (int64_t c = 0; c < size.width; ++c) pull += upstream[r * size.width + c] * output[r * size.width + c];
      for (int64_t k = 0; k < visible; ++k) {
        probability[k] = exponential(probability[k] - log_sum);
        slope[k] = probability[k] * (slope[k] - pull);
      }
      for (int64_t k = visible; k < size.keys; ++k) probability[k] = slope[k] = 0;
    }
    multiply<C, true>({scores, 1, size.keys}, upstream, size.width, value_gradient, task.key_count, size.width, rows);
    multiply<C, true>({slopes, 1, size.keys}, query, size.width, key_gradient, task.key_count, size.width, rows);
    multiply<C, false>({slopes, size.keys, 1}, keys, size.width, query_gradient, rows, size.width, task.key_count);
    for (int64_t r = 0; r < rows; ++r) {
      T* to = gradients.query + query_rows[r / size.shared] * query_width + query_offset + r % size.shared * task.width;
      for (int64_t c = 0; c < task.width; ++c) store(task.scale * query_gradient[r * size.width + c], to[c]);
    }
  }
  add_rows(key_gradient, size.width, task.key_rows, task.key_count, task.width, key_offset, key_width, gradients.keys);
  add_rows(value_gradient, size.width, task.key_rows, task.key_count, task.width, key_offset, key_width,
           gradients.values);
}

}  // namespace

const AttentionLoopSet loops{{scratch_size<float>, forward<float>, backward<float>},
                             {scratch_size<double>, forward<double>, backward<double>},
                             {scratch_size<Bfloat16>, forward<Bfloat16>, backward<Bfloat16>}};

}  // namespace diptych::DIPTYCH_LOOPS
