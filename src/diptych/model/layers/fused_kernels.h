#pragma once
// The arithmetic of fused layers on one kind of device. Layers whose device has none run as ATen's operations.

#include "diptych/model/layers/rotary.h"

namespace diptych {

/** Functions on contiguous tensors of one dtype; the last arguments are written. inverse_rms [rows] is float32, or
 *  float64 beside float64. Formulas: layers.h, rotary.h. */
struct FusedKernels {
  void (*rms_norm)(const Tensor& x, const Tensor& weight, double eps, const Tensor& y, const Tensor& inverse_rms);
  void (*rms_norm_gradient)(const Tensor& gradient, const Tensor& x, const Tensor& weight, const Tensor& inverse_rms,
                            const Tensor& x_gradient);
  /** `gradient` and x: [..., width]; weight_gradient [width]. */
  void (*rms_norm_weight_gradient)(const Tensor& gradient, const Tensor& x, const Tensor& inverse_rms,
                                   const Tensor& weight_gradient);
  /** x, y [rows, heads, width]; cosines and sines [rows, width]; inverse_rms [rows heads]. */
  void (*norm_rotate)(const Tensor& x, const Tensor& weight, double eps, const Rotation& rotation, const Tensor& y,
                      const Tensor& inverse_rms);
  /** n_gradient: of the normalised heads, for the gradient of the weight; undefined if nobody asks. */
  void (*norm_rotate_gradient)(const Tensor& gradient, const Tensor& x, const Tensor& weight, const Tensor& inverse_rms,
                               const Rotation& rotation, const Tensor& x_gradient, const Tensor& n_gradient);
  void (*silu_mul)(const Tensor& gate, const Tensor& up, const Tensor& y);
  void (*silu_mul_gradient)(const Tensor& gradient, const Tensor& gate, const Tensor& up, const Tensor& gate_gradient,
                            const Tensor& up_gradient);
};

/** Uninitialised, of the dtype that FusedKernels write for x. */
Tensor inverse_rms_like(const Tensor& x, int64_t rows);

/** First in the backward pass of a fused layer. That pass has no gradients of its own: with create_graph=true they
 * would lack terms, and nobody would notice. */
void refuse_second_gradients();

/** For inputs like x, whose weights have the dtype of `weight`; null if there are none. On the CPU there are for
 * float32 and float64; on other devices, where they are registered, for bfloat16 and widths that are multiples of 8. */
const FusedKernels* fused_kernels(const Tensor& x, const Tensor& weight);

/** Whether a device that is not the CPU has any. */
bool has_fused_kernels(at::DeviceType type);

/** Of a device that is not the CPU, from now on. Those of CUDA are there from the start where they were compiled. */
void register_fused_kernels(at::DeviceType type, const FusedKernels* kernels);

/** In model/layers/cpu_kernels.cpp. */
const FusedKernels& cpu_kernels();

}  // namespace diptych
