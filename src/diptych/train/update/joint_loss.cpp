#include "diptych/train/update/joint_loss.h"

#include <algorithm>
#include <map>

#include "diptych/algorithm/regularizers.h"
#include "diptych/flow/sde_step.h"
#include "diptych/tensor/device.h"

namespace diptych {

namespace {

std::vector<StepCoefficients> window_coefficients(const DenoiseSchedule& schedule) {
  std::vector<StepCoefficients> steps;
  for (int64_t k = 0; k < schedule.window_size; ++k)
    steps.push_back(sde_coefficients(schedule.grid, schedule.window_begin + k, schedule.noise_level));
  return steps;
}

// One number per window step, shaped to multiply [window, tokens, channels].
Tensor per_step(const std::vector<double>& values, const Tensor& like) {
  return on_device(at::tensor(values, at::kDouble), like.options()).view({-1, 1, 1});
}

double clamped(double advantage, double limit) {
  return limit > 0 ? std::clamp(advantage, -limit, limit) : advantage;
}

// Rows [stages * window, tokens, channels] of stages whose images have one size.
struct WindowRows {
  Tensor velocity;
  Tensor old_velocity;
  Tensor reference;  // undefined where no penalty needs it
  Tensor state, next;
  std::vector<double> advantages;  // one per row
};

std::vector<WindowRows> rows_by_size(const Rollout& rollout, const std::vector<size_t>& stages, const ReplayOutput& now,
                                     const std::vector<StageValues>& old, const std::vector<StageValues>& reference,
                                     const std::vector<double>& advantages, double clamp) {
  std::map<int64_t, std::vector<size_t>> sizes;  // tokens -> places in `stages`
  for (size_t c = 0; c < stages.size(); ++c)
    if (now.velocities[c].defined()) sizes[now.velocities[c].size(1)].push_back(c);
  std::vector<WindowRows> groups;
  for (const auto& [tokens, members] : sizes) {
    std::vector<Tensor> velocity, before, frozen, state, next;
    WindowRows rows;
    for (size_t c : members) {
      const Stage& stage = rollout.stages[stages[c]];
      velocity.push_back(now.velocities[c]);
      before.push_back(old[stages[c]].velocities);
      if (!reference.empty()) frozen.push_back(reference[stages[c]].velocities);
      state.push_back(stage.image->states);
      next.push_back(stage.image->nexts);
      rows.advantages.insert(rows.advantages.end(), rollout.schedule.window_size,
                             clamped(advantages[stages[c]], clamp));
    }
    rows.velocity = at::cat(velocity);
    rows.old_velocity = on_device(at::cat(before), rows.velocity.options());
    if (!frozen.empty()) rows.reference = on_device(at::cat(frozen), rows.velocity.options());
    rows.state = on_device(at::cat(state), rows.velocity.options());
    rows.next = on_device(at::cat(next), rows.velocity.options());
    groups.push_back(std::move(rows));
  }
  return groups;
}

struct RowCoefficients {
  Tensor x, v;         // [rows, 1, 1]
  Tensor std, weight;  // [rows]
};

RowCoefficients row_coefficients(const DenoiseSchedule& schedule, int64_t stages, const JointLossOptions& options,
                                 const JointDenominators& denominators, const Tensor& like) {
  const std::vector<StepCoefficients> steps = window_coefficients(schedule);
  std::vector<double> x, v, std, dt;
  for (const StepCoefficients& step : steps) {
    x.push_back(step.x);
    v.push_back(step.v);
    std.push_back(step.std);
    dt.push_back(step.dt);
  }
  const std::vector<double> weights = step_weights(dt, denominators.images, options.inverse_dt);
  const auto flat = [&](const std::vector<double>& values) {
    return on_device(at::tensor(values, at::kDouble), like.options()).repeat({stages});
  };
  return {per_step(x, like).repeat({stages, 1, 1}), per_step(v, like).repeat({stages, 1, 1}), flat(std), flat(weights)};
}

Tensor mean_under(const Tensor& velocity, const WindowRows& rows, const RowCoefficients& step) {
  return rows.state * step.x + velocity * step.v;
}

PolicyLoss image_policy(const WindowRows& rows, const Tensor& mean, const RowCoefficients& step,
                        const JointLossOptions& options) {
  const Tensor old_mean = mean_under(rows.old_velocity, rows, step);
  const Tensor noise = (rows.next - old_mean) / step.std.view({-1, 1, 1});
  const Tensor change = mean - old_mean;
  const Tensor log_ratio =
      options.ratio_norm ? ratio_norm_log_ratio(noise, change) : plain_log_ratio(noise, change, step.std);
  const Tensor advantage = on_device(at::tensor(rows.advantages, at::kDouble), rows.velocity.options());
  return image_policy_loss(log_ratio, advantage, step.weight, options.image_clip);
}

// What has no weight is not computed: without noise there are no log-ratios and no KL, and 0 times NaN is NaN.
void add_image_part(const WindowRows& rows, const DenoiseSchedule& schedule, const JointLossOptions& options,
                    const JointDenominators& denominators, JointLoss& loss) {
  const int64_t stages = rows.velocity.size(0) / schedule.window_size;
  const RowCoefficients step = row_coefficients(schedule, stages, options, denominators, rows.velocity);
  const Tensor mean = mean_under(rows.velocity, rows, step);
  if (options.image_weight > 0) {
    const PolicyLoss policy = image_policy(rows, mean, step, options);
    loss.total = loss.total + options.image_weight * policy.loss;
    loss.image += policy.loss.item<double>();
    merge_ratios(loss.image_ratios, policy.ratios);
  }
  if (!rows.reference.defined()) return;

  // Penalties take plain means over the window, whatever the policy's step weights.
  const double uniform = 1.0 / static_cast<double>(denominators.images * schedule.window_size);
  const Tensor mse = velocity_mse(rows.velocity, rows.reference).sum() * uniform;
  if (options.velocity_mse_weight > 0) loss.total = loss.total + options.velocity_mse_weight * mse;
  loss.velocity_mse += mse.item<double>();
  if (schedule.noise_level == 0) return;
  const Tensor divergence = latent_kl(mean, mean_under(rows.reference, rows, step), step.std).sum() * uniform;
  if (options.latent_kl_weight > 0) loss.total = loss.total + options.latent_kl_weight * divergence;
  loss.latent_kl += divergence.item<double>();
}

/** The sampled texts of some stages, packed. */
struct TextRows {
  std::vector<int64_t> lengths;    // tokens of each text
  std::vector<double> advantages;  // of each text
  Tensor old, reference;           // [tokens]; reference undefined where no penalty needs it
};

TextRows text_rows(const Rollout& rollout, const std::vector<size_t>& stages, const std::vector<StageValues>& old,
                   const std::vector<StageValues>& reference, const std::vector<double>& advantages,
                   const JointLossOptions& options, const at::TensorOptions& like) {
  TextRows rows;
  std::vector<Tensor> before, frozen;
  for (size_t index : stages) {
    if (!rollout.stages[index].text) continue;
    rows.lengths.push_back(static_cast<int64_t>(rollout.stages[index].text->tokens.size()));
    rows.advantages.push_back(clamped(advantages[index], options.text_advantage_clamp));
    before.push_back(old[index].logprobs);
    if (!reference.empty()) frozen.push_back(reference[index].logprobs);
  }
  rows.old = on_device(at::cat(before), like);
  if (!frozen.empty()) rows.reference = on_device(at::cat(frozen), like);
  return rows;
}

PolicyLoss text_policy(const TextRows& rows, const Tensor& logprobs, const Tensor& token_weight,
                       const JointLossOptions& options, const JointDenominators& denominators) {
  const at::TensorOptions like = logprobs.options();
  const Tensor advantage = on_device(at::tensor(rows.advantages, at::kDouble), like);
  if (options.sequence_ratio) {
    const Tensor weight = at::full_like(advantage, 1.0 / static_cast<double>(denominators.text.sequences));
    return sequence_policy_loss(logprobs, rows.old, rows.lengths, advantage, weight, options.text_clip);
  }
  const Tensor per_token = advantage.repeat_interleave(index_on(rows.lengths, like.device()));
  return text_policy_loss(logprobs, rows.old, per_token, token_weight, options.text_clip);
}

void add_text_part(const TextRows& rows, const Tensor& logprobs, const JointLossOptions& options,
                   const JointDenominators& denominators, JointLoss& loss) {
  const Tensor weight = on_device(
      at::tensor(token_weights(rows.lengths, options.aggregation, denominators.text), at::kDouble), logprobs.options());
  if (options.text_weight > 0) {
    const PolicyLoss policy = text_policy(rows, logprobs, weight, options, denominators);
    loss.total = loss.total + options.text_weight * policy.loss;
    loss.text = policy.loss.item<double>();
    loss.text_ratios = policy.ratios;
  }
  if (!rows.reference.defined()) return;
  const Tensor divergence = (k3_divergence(logprobs, rows.reference) * weight).sum();
  if (options.text_kl_weight > 0) loss.total = loss.total + options.text_kl_weight * divergence;
  loss.text_kl = divergence.item<double>();
}

}  // namespace

void merge_ratios(RatioStatistics& into, const RatioStatistics& part) {
  if (part.count == 0) return;
  if (into.count == 0) {
    into = part;
    return;
  }
  const double share = static_cast<double>(part.count) / static_cast<double>(into.count + part.count);
  into.ratio_mean = into.ratio_mean * (1 - share) + part.ratio_mean * share;
  into.fraction_above = into.fraction_above * (1 - share) + part.fraction_above * share;
  into.fraction_below = into.fraction_below * (1 - share) + part.fraction_below * share;
  into.max_abs_log_ratio = at::maximum(into.max_abs_log_ratio, part.max_abs_log_ratio);
  into.count += part.count;
}

std::vector<StageValues> stage_values(const Rollout& rollout, const std::vector<size_t>& stages,
                                      const ReplayOutput& output) {
  std::vector<StageValues> values(stages.size());
  const Tensor logprobs = output.logprobs.defined() ? output.logprobs.detach().cpu() : Tensor();
  int64_t begin = 0;
  for (size_t c = 0; c < stages.size(); ++c) {
    if (!output.velocities.empty() && output.velocities[c].defined())
      values[c].velocities = output.velocities[c].detach().cpu();
    if (!output.logprobs.defined() || !rollout.stages[stages[c]].text) continue;
    const int64_t count = static_cast<int64_t>(rollout.stages[stages[c]].text->tokens.size());
    values[c].logprobs = logprobs.narrow(0, begin, count);
    begin += count;
  }
  return values;
}

std::vector<double> window_gains(const DenoiseSchedule& schedule) {
  std::vector<double> gains;
  for (const StepCoefficients& step : window_coefficients(schedule)) gains.push_back(step.v);
  return gains;
}

JointLoss joint_loss(const Rollout& rollout, const std::vector<size_t>& stages, const ReplayOutput& now,
                     const std::vector<StageValues>& old, const std::vector<StageValues>& reference,
                     const std::vector<double>& advantages, const JointLossOptions& options,
                     const JointDenominators& denominators) {
  JointLoss loss;
  loss.total = at::zeros({}, at::TensorOptions().dtype(at::kFloat));
  TORCH_CHECK(now.logprobs.defined() || !now.velocities.empty(),
              "joint_loss: the replay holds neither text nor image values");
  if (!now.velocities.empty()) {
    for (const WindowRows& rows :
         rows_by_size(rollout, stages, now, old, reference, advantages, options.image_advantage_clamp)) {
      loss.total = loss.total.to(rows.velocity.options());
      add_image_part(rows, rollout.schedule, options, denominators, loss);
    }
  }
  if (now.logprobs.defined()) {
    loss.total = loss.total.to(now.logprobs.options());
    add_text_part(text_rows(rollout, stages, old, reference, advantages, options, now.logprobs.options()), now.logprobs,
                  options, denominators, loss);
  }
  return loss;
}

}  // namespace diptych
