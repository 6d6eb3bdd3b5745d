// The fused layers on CUDA in bfloat16: pointers and streams of torch's tensors for kernels/decoder_kernels.h.

#include "diptych/tensor/torch.h"

#include <c10/cuda/CUDAGuard.h>
#include <c10/cuda/CUDAStream.h>

#include "diptych/kernels/decoder_kernels.h"
#include "diptych/model/layers/fused_kernels.h"

namespace diptych {

namespace {

constexpr uintptr_t kAlignment = 16;  // of the widest loads

void check_numbers(const Tensor& tensor) {
  TORCH_CHECK(tensor.scalar_type() == at::kBFloat16, "a fused layer got numbers of type ", tensor.scalar_type());
  TORCH_CHECK(tensor.is_cuda() && tensor.is_contiguous() && tensor.device().index() == c10::cuda::current_device(),
              "a fused layer got a tensor of ", tensor.device(), " with strides ", tensor.strides());
  TORCH_CHECK(tensor.numel() == 0 || tensor.const_data_ptr() != nullptr, "a fused layer got a tensor without memory");
  TORCH_CHECK(reinterpret_cast<uintptr_t>(tensor.const_data_ptr()) % kAlignment == 0,
              "a fused layer got memory that is not aligned");
}

const kernels::Bfloat16* numbers(const Tensor& tensor) {
  check_numbers(tensor);
  return static_cast<const kernels::Bfloat16*>(tensor.const_data_ptr());
}

kernels::Bfloat16* room(const Tensor& tensor) {
  check_numbers(tensor);
  return static_cast<kernels::Bfloat16*>(tensor.mutable_data_ptr());
}

int width_of(const Tensor& x) {
  return static_cast<int>(x.size(-1));
}

/** Of the device that each launch makes the thread's own: a kernel runs on that one, wherever its memory is. */
void* stream_of(const Tensor& x) {
  return c10::cuda::getCurrentCUDAStream(x.device().index()).stream();
}

void check(const char* failure) {
  TORCH_CHECK(failure == nullptr, "a fused layer could not be launched: ", failure);
}

void launch_rms_norm(const Tensor& x, const Tensor& weight, double eps, const Tensor& y, const Tensor& inverse_rms) {
  const c10::cuda::CUDAGuard guard(x.device());
  check(kernels::rms_norm(numbers(x), numbers(weight), inverse_rms.numel(), width_of(x), static_cast<float>(eps),
                          room(y), inverse_rms.mutable_data_ptr<float>(), stream_of(x)));
}

void launch_rms_norm_gradient(const Tensor& gradient, const Tensor& x, const Tensor& weight, const Tensor& inverse_rms,
                              const Tensor& x_gradient) {
  const c10::cuda::CUDAGuard guard(x.device());
  check(kernels::rms_norm_gradient(numbers(gradient), numbers(x), numbers(weight), inverse_rms.const_data_ptr<float>(),
                                   inverse_rms.numel(), width_of(x), room(x_gradient), stream_of(x)));
}

void launch_rms_norm_weight_gradient(const Tensor& gradient, const Tensor& x, const Tensor& inverse_rms,
                                     const Tensor& weight_gradient) {
  const c10::cuda::CUDAGuard guard(x.device());
  const int64_t rows = inverse_rms.numel();
  const Tensor parts =
      at::empty({(rows + kernels::kPartRows - 1) / kernels::kPartRows, x.size(-1)}, x.options().dtype(at::kFloat));
  check(kernels::rms_norm_weight_gradient(numbers(gradient), numbers(x), inverse_rms.const_data_ptr<float>(), rows,
                                          width_of(x), parts.mutable_data_ptr<float>(), stream_of(x)));
  weight_gradient.copy_(parts.sum(0));
}

void launch_norm_rotate(const Tensor& x, const Tensor& weight, double eps, const Rotation& rotation, const Tensor& y,
                        const Tensor& inverse_rms) {
  const c10::cuda::CUDAGuard guard(x.device());
  check(kernels::norm_rotate(numbers(x), numbers(weight), x.size(0), static_cast<int>(x.size(1)), width_of(x),
                             static_cast<float>(eps), numbers(rotation.cosine), numbers(rotation.sine), room(y),
                             inverse_rms.mutable_data_ptr<float>(), stream_of(x)));
}

void launch_norm_rotate_gradient(const Tensor& gradient, const Tensor& x, const Tensor& weight,
                                 const Tensor& inverse_rms, const Rotation& rotation, const Tensor& x_gradient,
                                 const Tensor& n_gradient) {
  const c10::cuda::CUDAGuard guard(x.device());
  check(kernels::norm_rotate_gradient(numbers(gradient), numbers(x), numbers(weight),
                                      inverse_rms.const_data_ptr<float>(), x.size(0), static_cast<int>(x.size(1)),
                                      width_of(x), numbers(rotation.cosine), numbers(rotation.sine), room(x_gradient),
                                      n_gradient.defined() ? room(n_gradient) : nullptr, stream_of(x)));
}

void launch_silu_mul(const Tensor& gate, const Tensor& up, const Tensor& y) {
  const c10::cuda::CUDAGuard guard(gate.device());
  check(kernels::silu_mul(numbers(gate), numbers(up), y.numel(), room(y), stream_of(y)));
}

void launch_silu_mul_gradient(const Tensor& gradient, const Tensor& gate, const Tensor& up, const Tensor& gate_gradient,
                              const Tensor& up_gradient) {
  const c10::cuda::CUDAGuard guard(gate.device());
  check(kernels::silu_mul_gradient(numbers(gradient), numbers(gate), numbers(up), gate.numel(), room(gate_gradient),
                                   room(up_gradient), stream_of(gate)));
}

}  // namespace

const FusedKernels& cuda_kernels() {
  static constexpr FusedKernels launches = {
      launch_rms_norm,         launch_rms_norm_gradient,    launch_rms_norm_weight_gradient,
      launch_norm_rotate,      launch_norm_rotate_gradient, launch_silu_mul,
      launch_silu_mul_gradient};
  return launches;
}

}  // namespace diptych
