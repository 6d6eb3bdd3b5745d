#include "diptych/model/bagel/text_head.h"

#include "diptych/tensor/autograd.h"

namespace diptych {

namespace {

// Logits alive at once: 16 M numbers are 64 MB in float32.
constexpr int64_t kMostLogits = int64_t{1} << 24;

at::ScalarType accumulate_type(const Tensor& tensor) {
  return tensor.scalar_type() == at::kDouble ? at::kDouble : at::kFloat;
}

Tensor scaled_logits(const Tensor& hidden, const Tensor& weight, double temperature) {
  return linear(hidden, Linear{weight, {}}).to(accumulate_type(hidden)).div(temperature);
}

class TokenLogprobs : public torch::autograd::Function<TokenLogprobs> {
 public:
  static Tensor forward(torch::autograd::AutogradContext* context, const Tensor& hidden, const Tensor& weight,
                        const Tensor& ids, double temperature) {
    const int64_t rows = hidden.size(0);
    const int64_t step = logits_chunk_rows(weight.size(0));
    Tensor result = at::empty({rows}, hidden.options().dtype(accumulate_type(hidden)));
    for (int64_t begin = 0; begin < rows; begin += step) {
      const int64_t count = std::min(step, rows - begin);
      const Tensor values = scaled_logits(hidden.narrow(0, begin, count), weight, temperature);
      const Tensor chosen = values.gather(1, ids.narrow(0, begin, count).unsqueeze(1)).squeeze(1);
      result.narrow(0, begin, count).copy_(chosen - values.logsumexp(1));
    }
    context->save_for_backward({hidden, weight, ids});
    context->saved_data["temperature"] = temperature;
    return result;
  }

  // d logp / d logits = onehot(id) - softmax.
  static torch::autograd::variable_list backward(torch::autograd::AutogradContext* context,
                                                 torch::autograd::variable_list gradients) {
    const auto saved = context->get_saved_variables();
    const Tensor& hidden = saved[0];
    const Tensor& weight = saved[1];
    const Tensor& ids = saved[2];
    const double temperature = context->saved_data["temperature"].toDouble();
    const int64_t rows = hidden.size(0);
    const int64_t step = logits_chunk_rows(weight.size(0));
    Tensor hidden_gradient = at::empty_like(hidden);
    Tensor weight_gradient;
    if (context->needs_input_grad(1)) weight_gradient = at::zeros_like(weight);
    for (int64_t begin = 0; begin < rows; begin += step) {
      const int64_t count = std::min(step, rows - begin);
      const Tensor part = hidden.narrow(0, begin, count);
      const Tensor upstream = gradients[0].narrow(0, begin, count).div(temperature).unsqueeze(1);
      Tensor slope = at::softmax(scaled_logits(part, weight, temperature), 1).mul_(upstream.neg());
      slope.scatter_add_(1, ids.narrow(0, begin, count).unsqueeze(1), upstream);
      slope = slope.to(hidden.scalar_type());
      hidden_gradient.narrow(0, begin, count).copy_(at::mm(slope, weight));
      if (weight_gradient.defined()) weight_gradient.addmm_(slope.t(), part);
    }
    return {hidden_gradient, weight_gradient, Tensor(), Tensor()};
  }
};

}  // namespace

int64_t logits_chunk_rows(int64_t vocabulary) {
  return std::max<int64_t>(16, kMostLogits / vocabulary);
}

Tensor token_logprobs(const Tensor& hidden, const Linear& head, const Tensor& ids, double temperature) {
  return TokenLogprobs::apply(hidden, head.weight, ids, temperature);
}

}  // namespace diptych
