// The fused layers of the pretended GPU: what kernels/decoder_kernels.cu launches, a row after the other.

#include "diptych/kernels/row_math.h"
#include "diptych/model/layers/fused_kernels.h"
#include "support/one_lane.h"
#include "support/pretend_gpu.h"
#include "support/pretend_memory.h"

#include <atomic>

namespace diptych {

namespace {

using kernels::Bfloat16;

std::atomic<int64_t> fused = 0;

/** A tensor of the device as numbers of the host. */
class Numbers {
 public:
  explicit Numbers(const Tensor& tensor) : opened_(tensor) {
    TORCH_CHECK(tensor.device().type() == c10::DeviceType::PrivateUse1 && tensor.is_contiguous(),
                "a fused layer wants contiguous tensors there");
  }
  Bfloat16* at(int64_t place) const {
    TORCH_CHECK(opened_.view.scalar_type() == at::kBFloat16, "a fused layer wants numbers in bfloat16 there");
    return static_cast<Bfloat16*>(opened_.view.mutable_data_ptr()) + place;
  }
  float* floats() const { return opened_.view.mutable_data_ptr<float>(); }

 private:
  Opened opened_;
};

void pretend_rms_norm(const Tensor& x, const Tensor& weight, double eps, const Tensor& y, const Tensor& inverse_rms) {
  ++fused;
  const Numbers in(x), w(weight), out(y), inverse(inverse_rms);
  const int64_t width = x.size(-1);
  for (int64_t row = 0; row < inverse_rms.numel(); ++row)
    kernels::rms_norm_row(OneLane(), in.at(row * width), w.at(0), static_cast<int>(width), static_cast<float>(eps),
                          out.at(row * width), inverse.floats() + row);
}

void pretend_rms_norm_gradient(const Tensor& gradient, const Tensor& x, const Tensor& weight, const Tensor& inverse_rms,
                               const Tensor& x_gradient) {
  const Numbers g(gradient), in(x), w(weight), inverse(inverse_rms), out(x_gradient);
  const int64_t width = x.size(-1);
  for (int64_t row = 0; row < inverse_rms.numel(); ++row)
    kernels::rms_norm_gradient_row(OneLane(), g.at(row * width), in.at(row * width), w.at(0), inverse.floats()[row],
                                   static_cast<int>(width), out.at(row * width));
}

void pretend_rms_norm_weight_gradient(const Tensor& gradient, const Tensor& x, const Tensor& inverse_rms,
                                      const Tensor& weight_gradient) {
  const Numbers g(gradient), in(x), inverse(inverse_rms), out(weight_gradient);
  const int width = static_cast<int>(x.size(-1));
  for (int column = 0; column < width; ++column)
    *out.at(column) = kernels::narrow(kernels::rms_norm_weight_gradient_of(g.at(0), in.at(0), inverse.floats(), 0,
                                                                           inverse_rms.numel(), width, column));
}

void pretend_norm_rotate(const Tensor& x, const Tensor& weight, double eps, const Rotation& rotation, const Tensor& y,
                         const Tensor& inverse_rms) {
  ++fused;
  const Numbers in(x), w(weight), cosine(rotation.cosine), sine(rotation.sine), out(y), inverse(inverse_rms);
  const int64_t width = x.size(-1), heads = x.size(1);
  for (int64_t row = 0; row < inverse_rms.numel(); ++row)
    kernels::norm_rotate_row(OneLane(), in.at(row * width), w.at(0), static_cast<int>(width), static_cast<float>(eps),
                             cosine.at(row / heads * width), sine.at(row / heads * width), out.at(row * width),
                             inverse.floats() + row);
}

void pretend_norm_rotate_gradient(const Tensor& gradient, const Tensor& x, const Tensor& weight,
                                  const Tensor& inverse_rms, const Rotation& rotation, const Tensor& x_gradient,
                                  const Tensor& n_gradient) {
  const Numbers g(gradient), in(x), w(weight), inverse(inverse_rms), cosine(rotation.cosine), sine(rotation.sine),
      out(x_gradient);
  std::optional<Numbers> of_n;
  if (n_gradient.defined()) of_n.emplace(n_gradient);
  const int64_t width = x.size(-1), heads = x.size(1);
  for (int64_t row = 0; row < inverse_rms.numel(); ++row)
    kernels::norm_rotate_gradient_row(OneLane(), g.at(row * width), in.at(row * width), w.at(0), inverse.floats()[row],
                                      static_cast<int>(width), cosine.at(row / heads * width),
                                      sine.at(row / heads * width), out.at(row * width),
                                      of_n ? of_n->at(row * width) : nullptr);
}

void pretend_silu_mul(const Tensor& gate, const Tensor& up, const Tensor& y) {
  ++fused;
  const Numbers g(gate), u(up), out(y);
  for (int64_t at = 0; at < y.numel(); at += kernels::kPacket) kernels::silu_mul_packet(g.at(at), u.at(at), out.at(at));
}

void pretend_silu_mul_gradient(const Tensor& gradient, const Tensor& gate, const Tensor& up,
                               const Tensor& gate_gradient, const Tensor& up_gradient) {
  const Numbers d(gradient), g(gate), u(up), of_gate(gate_gradient), of_up(up_gradient);
  for (int64_t at = 0; at < gate.numel(); at += kernels::kPacket)
    kernels::silu_mul_gradient_packet(d.at(at), g.at(at), u.at(at), of_gate.at(at), of_up.at(at));
}

constexpr FusedKernels kPretended = {
    pretend_rms_norm,         pretend_rms_norm_gradient,    pretend_rms_norm_weight_gradient,
    pretend_norm_rotate,      pretend_norm_rotate_gradient, pretend_silu_mul,
    pretend_silu_mul_gradient};

}  // namespace

void register_pretended_kernels() {
  register_fused_kernels(c10::DeviceType::PrivateUse1, &kPretended);
}

int64_t fused_layer_calls() {
  return fused;
}

}  // namespace diptych
