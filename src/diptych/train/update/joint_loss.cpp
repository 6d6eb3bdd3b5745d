#include "diptych/train/update/joint_loss.h"

namespace diptych {

namespace {

// What has no weight is not computed: without noise there are no log-ratios, and 0 times NaN is NaN.
template <class Rows>
void add_terms(TermValue (*LossTerm::*of_rows)(const Rows&, const LossOptions&), const Rows& rows,
               const LossOptions& options, JointLoss& loss) {
  for (const LossTerm& term : loss_terms()) {
    const double weight = term.weight(options);
    if (term.*of_rows == nullptr || !(term.is_penalty ? rows.reference.defined() : weight > 0)) continue;
    const TermValue value = (term.*of_rows)(rows, options);
    if (!value.loss.defined()) continue;
    if (weight > 0) loss.total = loss.total + weight * value.loss;
    loss.terms[term.name].loss += value.loss.template item<double>();
    merge_ratios(loss.terms[term.name].ratios, value.ratios);
  }
}

}  // namespace

JointLoss joint_loss(const LossInput& input, const LossOptions& options, const LossDenominators& denominators) {
  JointLoss loss;
  loss.total = at::zeros({}, at::TensorOptions().dtype(at::kFloat));
  TORCH_CHECK(input.now.logprobs.defined() || !input.now.velocities.empty(),
              "joint_loss: the replay holds neither text nor image values");
  for (const std::vector<size_t>& places : places_by_size(input)) {
    const WindowRows rows = window_rows(input, places, denominators);
    loss.total = loss.total.to(rows.velocity.options());
    add_terms(&LossTerm::of_windows, rows, options, loss);
  }
  if (input.now.logprobs.defined()) {
    const TextRows rows = text_rows(input, options, denominators);
    loss.total = loss.total.to(rows.logprobs.options());
    add_terms(&LossTerm::of_texts, rows, options, loss);
  }
  return loss;
}

}  // namespace diptych
