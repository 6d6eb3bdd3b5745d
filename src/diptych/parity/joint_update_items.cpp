// 15: the joint update of text and image policy, packed, against the separate passes of the reference.

#include "diptych/algorithm/image_loss.h"
#include "diptych/algorithm/regularizers.h"
#include "diptych/base/text_format.h"
#include "diptych/flow/sde_step.h"
#include "diptych/parity/comparison.h"
#include "diptych/parity/items.h"
#include "diptych/parity/joint_case.h"

namespace diptych {

namespace {

constexpr const char* kMain = "15_joint_update.safetensors";
constexpr const char* kGuided = "15_joint_update_guided.safetensors";
constexpr ParityTolerance kRelative{.relative = 1e-4};
// Ratios lie near 1, where float32 resolves 6e-8; the text loss sums many of them.
constexpr ParityTolerance kFlowLoss{.absolute = 2e-7};
constexpr ParityTolerance kTotalLoss{.absolute = 2e-6};
// The image log-ratio decides about clipping, so its unit is the clip range.
constexpr double kLogRatioTolerance = 1e-3;

// 1 where the clip removes the gradient.
Tensor clipped(const Tensor& ratio_minus_one, double advantage, double clip) {
  return (advantage >= 0 ? ratio_minus_one > clip : ratio_minus_one < -clip).to(at::kLong);
}

// Means of the window steps under given velocities, and the noise that leads from them to the stored next latents.
struct WindowMoments {
  Tensor means;
  Tensor noise;
};

WindowMoments window_moments(const DenoiseSchedule& schedule, const SampledImage& image, const Tensor& velocities) {
  std::vector<Tensor> means, noise;
  for (int64_t k = 0; k < schedule.window_size; ++k) {
    const StepCoefficients step = sde_coefficients(schedule.grid, schedule.window_begin + k, schedule.noise_level);
    means.push_back(step_mean(image.states[k], velocities[k], step));
    noise.push_back(implied_noise(image.nexts[k], means.back(), step.std));
  }
  return {at::stack(means), at::stack(noise)};
}

void compare_stage_images(const Fixture& values, const JointCase& joint, size_t i, const Tensor& velocities,
                          Comparison& comparison) {
  const std::string in = cat("chain", i, ".in.");
  const std::string out = cat("chain", i, ".out.");
  const Stage& stage = joint.rollout.stages[i];
  const WindowMoments old = window_moments(joint.rollout.schedule, *stage.image, joint.old[i].velocities);
  const WindowMoments now = window_moments(joint.rollout.schedule, *stage.image, velocities);
  const Tensor log_ratio = ratio_norm_log_ratio(old.noise, now.means - old.means);
  const double clip = joint.losses.image_clip.high;
  comparison.close(in + "mu_old", old.means);
  comparison.close(out + "velocity", velocities);
  comparison.close(out + "mu_new", now.means);
  comparison.close(out + "log_ratio_image", log_ratio, {.absolute = kLogRatioTolerance * clip});
  comparison.equal(out + "image_clipped", clipped(log_ratio.expm1(), joint.advantages[i], clip));
  comparison.close(out + "mse_per_step", velocity_mse(velocities, joint.reference[i].velocities), kRelative);
  if (values.has(in + "noise")) comparison.close(in + "noise", old.noise);
}

void compare_stage_text(const JointCase& joint, size_t i, const Tensor& logprobs, Comparison& comparison) {
  const std::string out = cat("chain", i, ".out.");
  const Tensor log_ratio = logprobs - joint.old[i].logprobs;
  comparison.close(out + "logprobs", logprobs);
  comparison.close(out + "ratio_text", log_ratio.exp());
  comparison.equal(out + "text_clipped", clipped(log_ratio.expm1(), joint.advantages[i], joint.losses.text_clip.high));
}

void compare_schedule(const DenoiseSchedule& schedule, Comparison& comparison) {
  std::vector<double> sigma, std;
  for (size_t k = 0; k + 1 < schedule.grid.size(); ++k) {
    const StepCoefficients step = sde_coefficients(schedule.grid, static_cast<int64_t>(k), schedule.noise_level);
    sigma.push_back(step.sigma);
    std.push_back(step.std);
  }
  comparison.close("in.sigma", at::tensor(sigma, at::kDouble));
  comparison.close("in.step_std", at::tensor(std, at::kDouble));
}

// Values of all stages without gradient, from one packed pass.
std::vector<StageValues> values_of(const Bagel& model, const JointCase& joint) {
  at::NoGradGuard no_grad;
  return stage_values(joint.rollout, joint.stages, replay(model, joint.rollout, joint.stages, joint.replay));
}

ItemResult gradient_item(const ParityCase& parity, const char* values_file, const char* gradient_file, JointPart part,
                         bool detached) {
  const JointCase joint = joint_case(Fixture(parity.folder / kMain), Fixture(parity.folder / values_file));
  const Fixture fixture(parity.folder / gradient_file);
  Comparison comparison(parity.item, fixture);
  const TrainableScope trainable(parity.loaded->model);
  backward(parity.model(), joint, part, detached, trainable);
  comparison.gradients(trainable.slots());
  return comparison.result();
}

}  // namespace

ItemResult joint_update_item(const ParityCase& parity) {
  const Fixture fixture(parity.folder / kMain);
  Comparison comparison(parity.item, fixture);
  const Bagel& model = parity.model();
  const JointCase joint = joint_case(fixture, fixture);
  compare_schedule(joint.rollout.schedule, comparison);
  const std::vector<StageValues> values = values_of(model, joint);
  for (size_t i : joint.stages) {
    compare_stage_text(joint, i, values[i].logprobs, comparison);
    compare_stage_images(fixture, joint, i, values[i].velocities, comparison);
  }
  const TrainableScope trainable(parity.loaded->model);
  const auto compare_norm = [&](const std::string& name, JointPart part, bool detached) {
    const JointLoss loss = backward(model, joint, part, detached, trainable);
    comparison.close("out.grad_norm." + name, gradient_norm(trainable.slots()), kRelative);
    return loss;
  };
  const JointLoss loss = compare_norm("full", JointPart::total, false);
  comparison.close("out.loss_text", loss.terms.at("text").loss, kTotalLoss);
  comparison.close("out.loss_flow", loss.terms.at("image").loss, kFlowLoss);
  comparison.close("out.loss_mse", loss.terms.at("velocity_mse").loss, kRelative);
  comparison.close("out.loss_total", loss.total, kTotalLoss);
  compare_norm("text", JointPart::text, false);
  compare_norm("full_flow", JointPart::flow, false);
  compare_norm("full_mse", JointPart::mse, false);
  compare_norm("detached", JointPart::total, true);
  compare_norm("detached_flow", JointPart::flow, true);
  compare_norm("detached_mse", JointPart::mse, true);
  return comparison.result();
}

ItemResult joint_full_item(const ParityCase& parity) {
  return gradient_item(parity, kMain, "15_joint_update_grads_full.safetensors", JointPart::total, false);
}

ItemResult joint_detached_item(const ParityCase& parity) {
  return gradient_item(parity, kMain, "15_joint_update_grads_detached.safetensors", JointPart::total, true);
}

// Single image losses, understanding expert and embeddings only.
ItemResult joint_parts_item(const ParityCase& parity) {
  const Fixture main(parity.folder / kMain);
  const JointCase joint = joint_case(main, main);
  const Fixture fixture(parity.folder / "15_joint_update_grads_parts.safetensors");
  Comparison comparison(parity.item, fixture);
  const TrainableScope trainable(parity.loaded->model);
  std::vector<ParameterSlot> understanding;
  for (const ParameterSlot& slot : trainable.slots())
    if (slot.name.starts_with("language_model.model.") && slot.name.find("_moe_gen") == std::string::npos)
      understanding.push_back(slot);
  for (const bool detached : {false, true}) {
    const std::string context = detached ? "detached." : "full.";
    backward(parity.model(), joint, JointPart::flow, detached, trainable);
    comparison.gradients(understanding, "flow_" + context);
    backward(parity.model(), joint, JointPart::mse, detached, trainable);
    comparison.gradients(understanding, "mse_" + context);
  }
  return comparison.result();
}

ItemResult joint_guided_item(const ParityCase& parity) {
  const Fixture main(parity.folder / kMain);
  const Fixture fixture(parity.folder / kGuided);
  Comparison comparison(parity.item, fixture);
  const Bagel& model = parity.model();
  const JointCase joint = joint_case(main, fixture);
  const std::vector<StageValues> values = values_of(model, joint);
  for (size_t i : joint.stages) compare_stage_images(fixture, joint, i, values[i].velocities, comparison);
  const TrainableScope trainable(parity.loaded->model);
  const auto compare_norm = [&](const std::string& name, JointPart part) {
    const JointLoss loss = backward(model, joint, part, false, trainable);
    comparison.close("out.grad_norm." + name, gradient_norm(trainable.slots()), kRelative);
    return loss;
  };
  const JointLoss loss = compare_norm("total", JointPart::total);
  compare_norm("flow", JointPart::flow);
  compare_norm("mse", JointPart::mse);
  comparison.close("out.loss_flow", loss.terms.at("image").loss, kFlowLoss);
  comparison.close("out.loss_mse", loss.terms.at("velocity_mse").loss, kRelative);
  comparison.close("out.loss_total", loss.total, kTotalLoss);
  return comparison.result();
}

ItemResult joint_guided_full_item(const ParityCase& parity) {
  return gradient_item(parity, kGuided, "15_joint_update_grads_guided.safetensors", JointPart::total, false);
}

ItemResult joint_guided_flow_item(const ParityCase& parity) {
  return gradient_item(parity, kGuided, "15_joint_update_grads_guided_flow.safetensors", JointPart::flow, false);
}

}  // namespace diptych
