#include "diptych/kernels/decoder_kernels.h"

#include <cuda_runtime.h>

namespace diptych::kernels {

namespace {

constexpr int kWarp = 32;
constexpr int kBlock = 128;  // threads

/** Over this thread and its neighbours, `Count` of them: a power of two up to kWarp. */
template <int Count>
__device__ float sum_of_neighbours(float x) {
  // Not all of a warp: the threads of another row may have returned.
  const unsigned these = (0xffffffffU >> (kWarp - Count)) << (threadIdx.x % kWarp / Count * Count);
  for (int distance = Count / 2; distance > 0; distance /= 2) x += __shfl_xor_sync(these, x, distance);
  return x;
}

/** Half a warp for each row: heads. In one of 128 numbers each lane owns one packet of either half. */
struct HeadLanes {
  static constexpr int kCount = 16;

  __device__ int number() const { return static_cast<int>(threadIdx.x % kCount); }
  __device__ int count() const { return kCount; }
  __device__ float sum(float x) const { return sum_of_neighbours<kCount>(x); }
};

/** A block for each row: the residual stream. */
struct BlockLanes {
  __device__ int number() const { return static_cast<int>(threadIdx.x); }
  __device__ int count() const { return kBlock; }
  /** Once in a kernel: nothing keeps a second sum from overtaking the first. */
  __device__ float sum(float x) const {
    __shared__ float of_warp[kBlock / kWarp];
    const float mine = sum_of_neighbours<kWarp>(x);
    if (threadIdx.x % kWarp == 0) of_warp[threadIdx.x / kWarp] = mine;
    __syncthreads();
    float total = 0;
    for (const float part : of_warp) total += part;
    return total;
  }
};

__device__ int64_t thread_number() {
  return static_cast<int64_t>(blockIdx.x) * kBlock + threadIdx.x;
}

__global__ void rms_norm_rows(const Bfloat16* __restrict__ x, const Bfloat16* __restrict__ weight, int width, float eps,
                              Bfloat16* __restrict__ y, float* __restrict__ inverse_rms) {
  const int64_t row = blockIdx.x;
  rms_norm_row(BlockLanes(), x + row * width, weight, width, eps, y + row * width, inverse_rms + row);
}

__global__ void rms_norm_gradient_rows(const Bfloat16* __restrict__ gradient, const Bfloat16* __restrict__ x,
                                       const Bfloat16* __restrict__ weight, const float* __restrict__ inverse_rms,
                                       int width, Bfloat16* __restrict__ x_gradient) {
  const int64_t row = blockIdx.x, at = row * width;
  rms_norm_gradient_row(BlockLanes(), gradient + at, x + at, weight, inverse_rms[row], width, x_gradient + at);
}

__global__ void rms_norm_weight_gradient_parts(const Bfloat16* __restrict__ gradient, const Bfloat16* __restrict__ x,
                                               const float* __restrict__ inverse_rms, int64_t rows, int width,
                                               float* parts) {
  const int column = static_cast<int>(blockIdx.y) * kBlock + static_cast<int>(threadIdx.x);
  if (column >= width) return;
  const int64_t part = blockIdx.x, begin = part * kPartRows;
  const int64_t end = begin + kPartRows < rows ? begin + kPartRows : rows;
  parts[part * width + column] = rms_norm_weight_gradient_of(gradient, x, inverse_rms, begin, end, width, column);
}

constexpr int kBagelWidth = 128;

/** Whether heads are as wide as BAGEL's, so that the compiler can unroll, and no more than 32 bits count: to divide 64
 *  takes as long as half of the rest. */
bool are_bagels(int64_t heads, int width) {
  return width == kBagelWidth && heads <= UINT32_MAX;
}

template <bool AreBagels>
__device__ int64_t row_of(int64_t head, int heads) {
  if (AreBagels) return static_cast<uint32_t>(head) / static_cast<uint32_t>(heads);
  return head / heads;
}

template <bool AreBagels>
__global__ void norm_rotate_rows(const Bfloat16* __restrict__ x, const Bfloat16* __restrict__ weight, int64_t rows,
                                 int heads, int any_width, float eps, const Bfloat16* __restrict__ cosine,
                                 const Bfloat16* __restrict__ sine, Bfloat16* __restrict__ y,
                                 float* __restrict__ inverse_rms) {
  const int64_t head = thread_number() / HeadLanes::kCount;
  if (head >= rows * heads) return;
  const int width = AreBagels ? kBagelWidth : any_width;
  const int64_t at = head * width, angles = row_of<AreBagels>(head, heads) * width;
  norm_rotate_row(HeadLanes(), x + at, weight, width, eps, cosine + angles, sine + angles, y + at, inverse_rms + head);
}

template <bool AreBagels>
__global__ void norm_rotate_gradient_rows(const Bfloat16* __restrict__ gradient, const Bfloat16* __restrict__ x,
                                          const Bfloat16* __restrict__ weight, const float* __restrict__ inverse_rms,
                                          int64_t rows, int heads, int any_width, const Bfloat16* __restrict__ cosine,
                                          const Bfloat16* __restrict__ sine, Bfloat16* __restrict__ x_gradient,
                                          Bfloat16* n_gradient) {
  const int64_t head = thread_number() / HeadLanes::kCount;
  if (head >= rows * heads) return;
  const int width = AreBagels ? kBagelWidth : any_width;
  const int64_t at = head * width, angles = row_of<AreBagels>(head, heads) * width;
  norm_rotate_gradient_row(HeadLanes(), gradient + at, x + at, weight, inverse_rms[head], width, cosine + angles,
                           sine + angles, x_gradient + at, n_gradient == nullptr ? nullptr : n_gradient + at);
}

__global__ void silu_mul_packets(const Bfloat16* __restrict__ gate, const Bfloat16* __restrict__ up, int64_t count,
                                 Bfloat16* __restrict__ y) {
  const int64_t at = thread_number() * kPacket;
  if (at < count) silu_mul_packet(gate + at, up + at, y + at);
}

__global__ void silu_mul_gradient_packets(const Bfloat16* __restrict__ gradient, const Bfloat16* __restrict__ gate,
                                          const Bfloat16* __restrict__ up, int64_t count, Bfloat16* gate_gradient,
                                          Bfloat16* up_gradient) {
  const int64_t at = thread_number() * kPacket;
  if (at < count) silu_mul_gradient_packet(gradient + at, gate + at, up + at, gate_gradient + at, up_gradient + at);
}

unsigned blocks_for(int64_t threads) {
  return static_cast<unsigned>((threads + kBlock - 1) / kBlock);
}

cudaStream_t on(void* stream) {
  return static_cast<cudaStream_t>(stream);
}

const char* launched() {
  const cudaError_t status = cudaGetLastError();
  return status == cudaSuccess ? nullptr : cudaGetErrorString(status);
}

}  // namespace

const char* rms_norm(const Bfloat16* x, const Bfloat16* weight, int64_t rows, int width, float eps, Bfloat16* y,
                     float* inverse_rms, void* stream) {
  if (rows == 0) return nullptr;
  rms_norm_rows<<<static_cast<unsigned>(rows), kBlock, 0, on(stream)>>>(x, weight, width, eps, y, inverse_rms);
  return launched();
}

const char* rms_norm_gradient(const Bfloat16* gradient, const Bfloat16* x, const Bfloat16* weight,
                              const float* inverse_rms, int64_t rows, int width, Bfloat16* x_gradient, void* stream) {
  if (rows == 0) return nullptr;
  rms_norm_gradient_rows<<<static_cast<unsigned>(rows), kBlock, 0, on(stream)>>>(gradient, x, weight, inverse_rms,
                                                                                 width, x_gradient);
  return launched();
}

const char* rms_norm_weight_gradient(const Bfloat16* gradient, const Bfloat16* x, const float* inverse_rms,
                                     int64_t rows, int width, float* parts, void* stream) {
  if (rows == 0) return nullptr;
  const dim3 grid(static_cast<unsigned>((rows + kPartRows - 1) / kPartRows), blocks_for(width));
  rms_norm_weight_gradient_parts<<<grid, kBlock, 0, on(stream)>>>(gradient, x, inverse_rms, rows, width, parts);
  return launched();
}

const char* norm_rotate(const Bfloat16* x, const Bfloat16* weight, int64_t rows, int heads, int width, float eps,
                        const Bfloat16* cosine, const Bfloat16* sine, Bfloat16* y, float* inverse_rms, void* stream) {
  if (rows == 0) return nullptr;
  const auto kernel = are_bagels(rows * heads, width) ? norm_rotate_rows<true> : norm_rotate_rows<false>;
  kernel<<<blocks_for(rows * heads * HeadLanes::kCount), kBlock, 0, on(stream)>>>(x, weight, rows, heads, width, eps,
                                                                                  cosine, sine, y, inverse_rms);
  return launched();
}

const char* norm_rotate_gradient(const Bfloat16* gradient, const Bfloat16* x, const Bfloat16* weight,
                                 const float* inverse_rms, int64_t rows, int heads, int width, const Bfloat16* cosine,
                                 const Bfloat16* sine, Bfloat16* x_gradient, Bfloat16* n_gradient, void* stream) {
  if (rows == 0) return nullptr;
  const auto kernel =
      are_bagels(rows * heads, width) ? norm_rotate_gradient_rows<true> : norm_rotate_gradient_rows<false>;
  kernel<<<blocks_for(rows * heads * HeadLanes::kCount), kBlock, 0, on(stream)>>>(
      gradient, x, weight, inverse_rms, rows, heads, width, cosine, sine, x_gradient, n_gradient);
  return launched();
}

const char* silu_mul(const Bfloat16* gate, const Bfloat16* up, int64_t count, Bfloat16* y, void* stream) {
  if (count == 0) return nullptr;
  silu_mul_packets<<<blocks_for(count / kPacket), kBlock, 0, on(stream)>>>(gate, up, count, y);
  return launched();
}

const char* silu_mul_gradient(const Bfloat16* gradient, const Bfloat16* gate, const Bfloat16* up, int64_t count,
                              Bfloat16* gate_gradient, Bfloat16* up_gradient, void* stream) {
  if (count == 0) return nullptr;
  silu_mul_gradient_packets<<<blocks_for(count / kPacket), kBlock, 0, on(stream)>>>(gradient, gate, up, count,
                                                                                    gate_gradient, up_gradient);
  return launched();
}

}  // namespace diptych::kernels
