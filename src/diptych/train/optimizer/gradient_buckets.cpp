#include "diptych/train/optimizer/gradient_buckets.h"

#include <torch/csrc/autograd/function_hook.h>

#include <functional>

#include "diptych/tensor/autograd.h"
#include "diptych/tensor/flat.h"

namespace diptych {

namespace {

struct Hook : torch::autograd::PostAccumulateGradHook {
  explicit Hook(std::function<void()> call) : call_(std::move(call)) {}
  void operator()(const Tensor& /*parameter*/) override { call_(); }
  std::function<void()> call_;
};

int64_t gradient_bytes(const Tensor& parameter) {
  // Sums of bf16 parameters are fp32, or at most as large.
  return parameter.numel() * (parameter.scalar_type() == at::kDouble ? 8 : 4);
}

}  // namespace

GradientBuckets::GradientBuckets(std::vector<Tensor> parameters, ProcessGroup& ranks, int64_t bucket_bytes)
    : ranks_(ranks) {
  if (ranks_.world() == 1) return;
  int64_t bytes = bucket_bytes;
  for (auto parameter = parameters.rbegin(); parameter != parameters.rend(); ++parameter) {
    const bool fits = bytes + gradient_bytes(*parameter) <= bucket_bytes;
    const bool alike = !buckets_.empty() && buckets_.back().parameters.front().dtype() == parameter->dtype();
    if (!fits || !alike) {
      buckets_.emplace_back();
      bytes = 0;
    }
    buckets_.back().parameters.push_back(*parameter);
    bytes += gradient_bytes(*parameter);
  }
  for (size_t b = 0; b < buckets_.size(); ++b)
    for (const Tensor& parameter : buckets_[b].parameters)
      torch::autograd::impl::set_post_acc_grad_hooks(parameter, std::make_unique<Hook>([this, b] { arrived(b); }));
  started_ = buckets_.size();
}

GradientBuckets::~GradientBuckets() {
  for (const Bucket& bucket : buckets_)
    for (const Tensor& parameter : bucket.parameters)
      torch::autograd::impl::set_post_acc_grad_hooks(parameter, nullptr);
}

void GradientBuckets::watch() {
  started_ = 0;
  for (Bucket& bucket : buckets_) bucket.open = bucket.parameters.size();
}

void GradientBuckets::arrived(size_t bucket) {
  if (started_ == buckets_.size()) return;  // nobody watches this pass
  --buckets_[bucket].open;
  while (started_ < buckets_.size() && buckets_[started_].open == 0) start_next();
}

void GradientBuckets::start_next() {
  const at::NoGradGuard no_grad;
  Bucket& bucket = buckets_[started_++];
  std::vector<Tensor> gradients;
  for (const Tensor& parameter : bucket.parameters)
    gradients.push_back(parameter.grad().defined() ? parameter.grad() : at::zeros_like(parameter));
  bucket.sum = flattened(gradients);
  // The sum takes their place; two copies of all gradients would not fit beside a large model.
  for (Tensor& parameter : bucket.parameters) parameter.mutable_grad() = Tensor();
  bucket.started = ranks_.start_all_reduce_sum(bucket.sum, "gradients");
}

void GradientBuckets::start() {
  while (started_ < buckets_.size()) start_next();
}

void GradientBuckets::finish() {
  const at::NoGradGuard no_grad;
  for (Bucket& bucket : buckets_) {
    ranks_.wait(bucket.started);
    const std::vector<Tensor> sums = views_of_flat(bucket.sum, bucket.parameters);
    for (size_t i = 0; i < sums.size(); ++i) bucket.parameters[i].mutable_grad() = sums[i];
    bucket.sum = Tensor();
  }
}

}  // namespace diptych
