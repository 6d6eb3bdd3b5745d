#include "support/pretend_gpu.h"

#include <ATen/EmptyTensor.h>
#include <ATen/NativeFunctions.h>
#include <ATen/detail/PrivateUse1HooksInterface.h>
#include <ATen/native/CPUFallback.h>
#include <c10/core/DeviceType.h>
#include <c10/core/impl/DeviceGuardImplInterface.h>
#include <torch/library.h>

#include <atomic>
#include <mutex>
#include <set>

#include "diptych/tensor/autograd.h"
#include "support/pretend_memory.h"

namespace diptych {

namespace {

constexpr auto kType = c10::DeviceType::PrivateUse1;
const at::Device kDevice(kType, 0);

std::atomic<int64_t> waits = 0;
std::atomic<int64_t> attentions = 0;
// Kernels copy too; only copies outside of one are the program's own.
thread_local int kernels_running = 0;

// --- Memory ---------------------------------------------------------------------------------------------------------

struct PretendAllocator final : c10::Allocator {
  c10::DataPtr allocate(size_t bytes) override {
    void* data = Pages::allocate(bytes);
    return {data, data, &Pages::release, kDevice};
  }
  c10::DeleterFnPtr raw_deleter() const override { return &Pages::release; }
  void copy_data(void*, const void*, std::size_t) const override { TORCH_CHECK(false, "no copies of raw memory"); }
};

PretendAllocator allocator;

std::mutex copying;  // source and target may share memory, and another thread must not close what this one opened

Tensor copy_from(const Tensor& self, const Tensor& target, bool non_blocking) {
  at::NoGradGuard no_grad;
  const std::lock_guard lock(copying);
  const bool leaves_the_host = self.is_cpu() && non_blocking;
  if (kernels_running == 0 && (self.is_cpu() || target.is_cpu()) && !leaves_the_host) ++waits;
  if (self.is_alias_of(target)) {
    const Opened both(self);
    const Tensor values = both.view.clone();
    const Opened into(target);
    into.view.copy_(values);
    return target;
  }
  const Opened from(self), into(target);
  into.view.copy_(from.view);
  return target;
}

Tensor copy_from_and_resize(const Tensor& self, const Tensor& target) {
  if (target.sizes() != self.sizes()) target.resize_(self.sizes());
  return copy_from(self, target, false);
}

at::Scalar local_scalar(const Tensor& self) {
  return self.cpu().item();
}

Tensor empty_memory_format(at::IntArrayRef size, std::optional<at::ScalarType> dtype, std::optional<at::Layout>,
                           std::optional<at::Device>, std::optional<bool>, std::optional<at::MemoryFormat> format) {
  return at::detail::empty_generic(size, &allocator, c10::DispatchKeySet(c10::DispatchKey::PrivateUse1),
                                   c10::dtype_or_default(dtype), format);
}

Tensor empty_strided(at::IntArrayRef size, at::IntArrayRef stride, std::optional<at::ScalarType> dtype,
                     std::optional<at::Layout>, std::optional<at::Device>, std::optional<bool>) {
  return at::detail::empty_strided_generic(size, stride, &allocator, c10::DispatchKeySet(c10::DispatchKey::PrivateUse1),
                                           c10::dtype_or_default(dtype));
}

const Tensor& resize(const Tensor& self, c10::SymIntArrayRef size, std::optional<at::MemoryFormat> format) {
  const auto sizes = C10_AS_INTARRAYREF_SLOW(size);
  TORCH_CHECK(!format || *format == at::MemoryFormat::Contiguous, "only contiguous tensors are resized here");
  c10::TensorImpl* impl = self.unsafeGetTensorImpl();
  int64_t elements = 1;
  for (const int64_t extent : sizes) elements *= extent;
  const size_t bytes = (static_cast<size_t>(self.storage_offset()) + static_cast<size_t>(elements)) * self.itemsize();
  if (bytes > self.storage().nbytes()) {
    impl->unsafe_storage().set_data_ptr_noswap(allocator.allocate(bytes));
    impl->unsafe_storage().set_nbytes(bytes);
  }
  impl->set_sizes_contiguous(sizes);
  return self;
}

Tensor view(const Tensor& self, c10::SymIntArrayRef size) {
  return at::native::view(self, C10_AS_INTARRAYREF_SLOW(size));
}

Tensor as_strided(const Tensor& self, c10::SymIntArrayRef size, c10::SymIntArrayRef stride,
                  std::optional<c10::SymInt> offset) {
  return at::native::as_strided_tensorimpl(
      self, C10_AS_INTARRAYREF_SLOW(size), C10_AS_INTARRAYREF_SLOW(stride),
      offset ? std::optional<int64_t>(offset->guard_int(__FILE__, __LINE__)) : std::nullopt);
}

Tensor reshape_alias(const Tensor& self, c10::SymIntArrayRef size, c10::SymIntArrayRef stride) {
  return at::native::_reshape_alias(self, C10_AS_INTARRAYREF_SLOW(size), C10_AS_INTARRAYREF_SLOW(stride));
}

// --- Kernels --------------------------------------------------------------------------------------------------------

void refuse_mixed_devices(const c10::OperatorHandle& op, const torch::jit::Stack& stack) {
  // As on a GPU: numbers of the host may take part, if they have no dimension; indices in brackets may, too.
  static const std::set<std::string> take_indices_of_the_host = {
      "aten::index", "aten::_unsafe_index", "aten::index_put", "aten::index_put_", "aten::_index_put_impl_"};
  const std::string name = op.schema().name();
  if (take_indices_of_the_host.contains(name)) return;
  const auto look = [&](const Tensor& tensor) {
    TORCH_CHECK(!tensor.defined() || tensor.device().type() == kType || tensor.dim() == 0, name,
                ": a tensor of the CPU among those of the device");
  };
  for (const c10::IValue& value : torch::jit::last(stack, op.schema().arguments().size())) {
    if (value.isTensor()) look(value.toTensor());
    if (value.isTensorList())
      for (const Tensor& tensor : value.toTensorVector()) look(tensor);
  }
}

void on_the_host(const c10::OperatorHandle& op, torch::jit::Stack* stack) {
  refuse_mixed_devices(op, *stack);
  ++kernels_running;
  const auto leave = [](int* count) { --*count; };
  const std::unique_ptr<int, decltype(leave)> running(&kernels_running, leave);
  at::native::cpu_fallback(op, stack);
}

Tensor convolution(const Tensor& input, const Tensor& weight, const std::optional<Tensor>& bias,
                   c10::SymIntArrayRef stride, c10::SymIntArrayRef padding, c10::SymIntArrayRef dilation,
                   bool transposed, c10::SymIntArrayRef output_padding, c10::SymInt groups) {
  ++kernels_running;
  const std::optional<Tensor> bias_here = bias ? std::optional(bias->cpu()) : std::nullopt;
  const Tensor output = at::convolution_symint(input.cpu(), weight.cpu(), bias_here, stride, padding, dilation,
                                               transposed, output_padding, std::move(groups))
                            .to(kDevice);
  --kernels_running;
  return output;
}

std::tuple<Tensor, Tensor, Tensor> convolution_backward(const Tensor& gradient, const Tensor& input,
                                                        const Tensor& weight, c10::SymIntArrayRef stride,
                                                        c10::SymIntArrayRef padding, c10::SymIntArrayRef dilation,
                                                        bool transposed, c10::SymIntArrayRef output_padding,
                                                        c10::SymInt groups, std::array<bool, 3> wanted) {
  ++kernels_running;
  const std::vector<c10::SymInt> bias_sizes = {weight.sym_size(0)};
  const auto here =
      at::convolution_backward_symint(gradient.cpu(), input.cpu(), weight.cpu(), bias_sizes, stride, padding, dilation,
                                      transposed, output_padding, std::move(groups), wanted);
  const auto there = [](const Tensor& tensor) { return tensor.defined() ? tensor.to(kDevice) : tensor; };
  auto result = std::make_tuple(there(std::get<0>(here)), there(std::get<1>(here)), there(std::get<2>(here)));
  --kernels_running;
  return result;
}

/** softmax(q k^T scale) v of each sequence, whose last query sees its last key where causal; what flash attention
 *  computes. query: [queries, H, d], keys and values: [keys, K, d]. In float32. */
std::pair<Tensor, Tensor> attend_sequences(const Tensor& query, const Tensor& keys, const Tensor& values,
                                           const Tensor& query_ends, const Tensor& key_ends, bool causal,
                                           double scale) {
  const int64_t repeats = query.size(1) / keys.size(1);
  std::vector<Tensor> outputs, sums;
  for (int64_t i = 0; i + 1 < query_ends.numel(); ++i) {
    const auto rows = [&](const Tensor& source, const Tensor& ends) {
      return source.slice(0, ends[i].item<int64_t>(), ends[i + 1].item<int64_t>()).to(at::kFloat).transpose(0, 1);
    };
    const Tensor q = rows(query, query_ends);
    const Tensor k = rows(keys, key_ends).repeat_interleave(repeats, 0);
    const Tensor v = rows(values, key_ends).repeat_interleave(repeats, 0);
    Tensor scores = q.matmul(k.transpose(1, 2)) * scale;
    if (causal) {
      const Tensor hidden = at::ones({q.size(1), k.size(1)}, at::kBool).triu(k.size(1) - q.size(1) + 1);
      scores = scores.masked_fill(hidden, -std::numeric_limits<double>::infinity());
    }
    sums.push_back(scores.logsumexp(2));
    outputs.push_back(scores.softmax(2).matmul(v).transpose(0, 1));
  }
  return {at::cat(outputs).to(query.scalar_type()), at::cat(sums, 1)};
}

void refuse_what_flash_attention_refuses(const Tensor& query, const Tensor& ends) {
  TORCH_CHECK(query.scalar_type() == at::kBFloat16 || query.scalar_type() == at::kHalf, "flash attention wants bf16");
  TORCH_CHECK(ends.scalar_type() == at::kInt && ends.is_contiguous(), "ends of sequences are int32");
  TORCH_CHECK(ends.device() == kDevice, "ends of sequences lie on the device");
  TORCH_CHECK(query.stride(-1) == 1, "the last dimension of a query is contiguous");
}

std::tuple<Tensor, Tensor, Tensor, Tensor, Tensor> flash_attention_forward(
    const Tensor& query, const Tensor& keys, const Tensor& values, const std::optional<Tensor>& query_ends,
    const std::optional<Tensor>& key_ends, c10::SymInt, c10::SymInt, double, bool causal, bool,
    std::optional<double> scale, std::optional<c10::SymInt>, std::optional<c10::SymInt>, const std::optional<Tensor>&,
    const std::optional<Tensor>&, const std::optional<Tensor>&, std::optional<int64_t>) {
  ++attentions;
  ++kernels_running;
  refuse_what_flash_attention_refuses(query, query_ends.value());
  const double factor = scale.value_or(1 / std::sqrt(static_cast<double>(query.size(2))));
  const auto [output, sums] = attend_sequences(query.cpu(), keys.cpu(), values.cpu(), query_ends->cpu(),
                                               key_ends.value().cpu(), causal, factor);
  const Tensor none = at::empty({0}, query.options());
  auto result = std::make_tuple(output.to(kDevice), sums.to(kDevice), none, none, none);
  --kernels_running;
  return result;
}

std::tuple<Tensor, Tensor, Tensor> flash_attention_backward(
    const Tensor& gradient, const Tensor& query, const Tensor& keys, const Tensor& values, const Tensor&, const Tensor&,
    const Tensor& query_ends, const Tensor& key_ends, c10::SymInt, c10::SymInt, double, bool causal, const Tensor&,
    const Tensor&, std::optional<double> scale, std::optional<c10::SymInt>, std::optional<c10::SymInt>) {
  ++kernels_running;
  const double factor = scale.value_or(1 / std::sqrt(static_cast<double>(query.size(2))));
  std::vector<Tensor> inputs;
  for (const Tensor& input : {query, keys, values}) inputs.push_back(input.cpu().detach().requires_grad_(true));
  std::vector<Tensor> gradients;
  {
    const at::AutoGradMode with_gradient(true);
    // Kernels run below the keys of autograd, where nothing would be recorded.
    const c10::impl::LocalDispatchKeySet outer = c10::impl::tls_local_dispatch_key_set();
    c10::impl::_force_tls_local_dispatch_key_set(c10::impl::LocalDispatchKeySet(c10::impl::PODLocalDispatchKeySet{}));
    const Tensor output =
        attend_sequences(inputs[0], inputs[1], inputs[2], query_ends.cpu(), key_ends.cpu(), causal, factor).first;
    gradients = torch::autograd::grad({output}, inputs, {gradient.cpu()});
    c10::impl::_force_tls_local_dispatch_key_set(outer);
  }
  auto result = std::make_tuple(gradients[0].to(kDevice), gradients[1].to(kDevice), gradients[2].to(kDevice));
  --kernels_running;
  return result;
}

// --- Registration ---------------------------------------------------------------------------------------------------

struct PretendHooks final : at::PrivateUse1HooksInterface {
  bool hasPrimaryContext(c10::DeviceIndex) const override { return true; }
  bool isBuilt() const override { return true; }
  bool isAvailable() const override { return true; }
  c10::DeviceIndex deviceCount() const override { return 1; }
};

struct PretendGuard final : c10::impl::DeviceGuardImplInterface {
  c10::DeviceType type() const override { return kType; }
  at::Device exchangeDevice(at::Device) const override { return kDevice; }
  at::Device getDevice() const override { return kDevice; }
  void setDevice(at::Device) const override {}
  void uncheckedSetDevice(at::Device) const noexcept override {}
  c10::Stream getStream(at::Device device) const override { return c10::Stream(c10::Stream::DEFAULT, device); }
  c10::Stream exchangeStream(c10::Stream stream) const override { return stream; }
  c10::DeviceIndex deviceCount() const noexcept override { return 1; }
  void synchronizeDevice(c10::DeviceIndex) const override {}
};

void register_device() {
  c10::register_privateuse1_backend("pretend_gpu");
  c10::SetAllocator(kType, &allocator);
  static const c10::impl::DeviceGuardImplRegistrar guard(kType, new PretendGuard());
  at::RegisterPrivateUse1HooksInterface(new PretendHooks());
  register_pretended_kernels();
}

}  // namespace

TORCH_LIBRARY_IMPL(_, PrivateUse1, library) {
  library.fallback(torch::CppFunction::makeFromBoxedFunction<&on_the_host>());
}

TORCH_LIBRARY_IMPL(aten, PrivateUse1, library) {
  library.impl("empty.memory_format", empty_memory_format);
  library.impl("empty_strided", empty_strided);
  library.impl("resize_", resize);
  library.impl("view", view);
  library.impl("as_strided", as_strided);
  library.impl("_reshape_alias", reshape_alias);
  // Without a kernel of the device, torch composes it of others that want contiguous tensors.
  library.impl("native_group_norm", torch::CppFunction::makeFromBoxedFunction<&on_the_host>());
  library.impl("unfold", at::native::unfold);
  library.impl("convolution_overrideable", convolution);
  library.impl("convolution_backward_overrideable", convolution_backward);
  library.impl("_copy_from", copy_from);
  library.impl("_copy_from_and_resize", copy_from_and_resize);
  library.impl("_local_scalar_dense", local_scalar);
  library.impl("_flash_attention_forward", flash_attention_forward);
  library.impl("_flash_attention_backward", flash_attention_backward);
}

at::Device pretend_gpu() {
  static std::once_flag once;
  std::call_once(once, register_device);
  return kDevice;
}

int64_t host_waits() {
  return waits;
}

int64_t attention_calls() {
  return attentions;
}

}  // namespace diptych
