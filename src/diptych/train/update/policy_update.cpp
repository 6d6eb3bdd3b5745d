#include "diptych/train/update/policy_update.h"

#include "diptych/tensor/packs.h"
#include "diptych/train/optimizer/gradient_sum.h"
#include "diptych/train/run/ranks.h"
#include "diptych/train/update/joint_loss.h"

namespace diptych {

namespace {

LossDenominators denominators_of(const Rollout& rollout, const std::vector<size_t>& stages) {
  LossDenominators denominators;
  for (size_t index : stages) {
    if (rollout.stages[index].image) ++denominators.images;
    if (!rollout.stages[index].text) continue;
    ++denominators.text.sequences;
    denominators.text.tokens += static_cast<int64_t>(rollout.stages[index].text->tokens.size());
  }
  return denominators;
}

bool all_finite(const std::vector<StageValues>& values) {
  for (const StageValues& stage : values) {
    if (stage.logprobs.defined() && !stage.logprobs.isfinite().all().item<bool>()) return false;
    if (stage.velocities.defined() && !stage.velocities.isfinite().all().item<bool>()) return false;
  }
  return true;
}

}  // namespace

std::vector<size_t> PolicyUpdate::own_trained_stages() const {
  return own_stages(input_.rollout, trained_stages(input_.rollout, input_.contributing, options_.replay));
}

// Of the policy before the first update. Returns whether all are finite.
bool PolicyUpdate::fix_old_values() {
  const std::vector<StageValues> replayed = replay_values(model_, input_.rollout, input_.contributing, options_);
  const bool finite = all_finite(replayed);
  if (finite) report_.gate = check_replay(input_.rollout, own_trained_stages(), replayed, options_);
  old_ = options_.old_from_rollout ? sampler_values(input_.rollout) : replayed;
  return finite;
}

// Gradients and values of the own stages of a mini-batch. Returns whether all losses are finite.
bool PolicyUpdate::add_gradients(const std::vector<size_t>& batch) {
  const Rollout& rollout = input_.rollout;
  const LossDenominators denominators = denominators_of(rollout, batch);
  const std::vector<std::vector<size_t>> packs = packs_of(rollout, batch, options_);
  const auto count = static_cast<int64_t>(packs.size());
  const at::Device device = model_.embed_tokens.device();
  std::vector<JointLoss> losses(packs.size());
  std::vector<double> flops(packs.size());
  DealtLayers* const dealt = policy_.dealt_layers();
  const bool in_turn = dealt != nullptr || packs_at_once(device, count) <= 1;
  GradientSum sum(policy_.parameters(), in_turn ? 1 : packs_at_once(device, count));
  const auto add_pack = [&](int64_t number) {
    const auto p = static_cast<size_t>(number);
    const ReplayOutput now = replay(model_, rollout, packs[p], options_.replay);
    flops[p] = (policy_.adapted() ? 2 : 3) * now.flops;  // weights behind adapters have no gradients
    if (replays_old_) place_values(packs[p], stage_values(rollout, packs[p], now), old_);
    const LossInput input{rollout, packs[p], now, old_, input_.reference, input_.advantages};
    losses[p] = joint_loss(input, options_.loss, denominators);
    // Packs in turn end in one plain backward pass, whose gradients can be on their way before it is over.
    if (in_turn && number + 1 == count) policy_.buckets().watch();
    sum.add(number, losses[p].total);
    losses[p].total = losses[p].total.detach();
  };
  if (dealt == nullptr) {
    for_each_pack(device, count, add_pack);
  } else {
    // Layers come and go on all ranks together.
    const Tensor most = at::full({1}, count, at::kLong);
    policy_.ranks().all_reduce_max(most, "packs of a rank");
    for (int64_t number = 0; number < most.item<int64_t>(); ++number)
      number < count ? add_pack(number) : dealt->idle_pass();
  }
  if (!in_turn || count == 0) policy_.buckets().watch();
  policy_.buckets().start();
  bool finite = true;
  for (size_t p = 0; p < packs.size(); ++p) {
    finite = finite && std::isfinite(losses[p].total.item<double>());
    report_.flops += flops[p];
    add_report(report_.losses, losses[p].terms);
  }
  return finite;
}

void PolicyUpdate::check_first_update(bool finite) {
  if (finite && replays_old_) report_.gate = check_replay(input_.rollout, own_trained_stages(), old_, options_);
  report_.first_ratios = largest_ratios(report_.losses, options_.loss);
  if (finite && !options_.old_from_rollout) check_first_ratios(report_.first_ratios);
}

UpdateReport PolicyUpdate::run(const std::function<double()>& learning_rate_scale) {
  policy_.gather_weights();
  // Of all ranks, so that all agree on how many updates there are and what they are divided by.
  const std::vector<std::vector<size_t>> batches = mini_batches(input_.rollout, input_.contributing, options_);
  const bool one_update = batches.size() == 1 && options_.epochs == 1;
  ProcessGroup& ranks = policy_.ranks();
  replays_old_ = one_update && !options_.old_from_rollout;
  if (!replays_old_) {
    bool finite = true;
    together(ranks, "replay of old values", [&] { finite = fix_old_values(); });
    if (any_rank(ranks, !finite, "finite old values")) {
      report_.skipped = static_cast<int64_t>(batches.size()) * options_.epochs;
      return report_;
    }
  }

  policy_.deal_weights();
  bool first = true;
  for (int64_t epoch = 0; epoch < options_.epochs; ++epoch) {
    for (const std::vector<size_t>& batch : batches) {
      policy_.optimizer().clear_gradients();
      report_.losses = empty_report();
      bool finite = true;
      together(ranks, "losses", [&] {
        finite = add_gradients(batch);
        if (first) check_first_update(finite);
      });
      first = false;
      if (any_rank(ranks, !finite, "finite losses")) {
        policy_.buckets().finish();
        policy_.optimizer().release_gradients();
        ++report_.skipped;
        continue;
      }
      const StepReport step = policy_.step(learning_rate_scale());
      report_.groups = step.groups;
      ++(step.applied ? report_.applied : report_.skipped);
    }
  }
  join_reports(ranks, report_);
  return report_;
}

}  // namespace diptych
