#pragma once

#include "diptych/tensor/torch.h"

#include "diptych/flow/sde_step.h"
#include "diptych/flow/timestep_grid.h"
#include "diptych/train/update/joint_loss.h"
#include "support/tiny_model.h"

namespace diptych {

inline constexpr int64_t kStages = 6;
inline constexpr int64_t kWindow = 2;

/** Stored stages of two groups, images of two sizes, thoughts of different lengths, without a model: what the policy
 *  says is a leaf tensor per stage. float64. */
struct JointStages {
  Rollout rollout;
  std::vector<StageValues> old, reference;
  std::vector<Tensor> logprobs, velocities;  // leaves
  std::vector<double> advantages;
  LossDenominators denominators;

  ReplayOutput now(const std::vector<size_t>& stages, bool text = true, bool image = true) const {
    ReplayOutput output;
    std::vector<Tensor> parts;
    for (const size_t c : stages) {
      if (image) output.velocities.push_back(velocities[c]);
      parts.push_back(logprobs[c]);
    }
    if (text) output.logprobs = at::cat(parts);
    return output;
  }

  void clear_gradients() {
    for (std::vector<Tensor>* leaves : {&logprobs, &velocities})
      for (Tensor& leaf : *leaves) leaf.mutable_grad() = Tensor();
  }
};

inline Tensor exact(uint64_t address, at::IntArrayRef shape, double scale) {
  return numbers(address, shape).to(at::kDouble) * scale;
}

inline JointStages make_stages() {
  JointStages made;
  made.rollout.prompts = 2;
  made.rollout.schedule = {.grid = timestep_grid(6, 2), .noise_level = 0.8, .window_begin = 0, .window_size = kWindow};
  for (int64_t c = 0; c < kStages; ++c) {
    const auto address = static_cast<uint64_t>(c) * 100;
    const int64_t tokens = c % 2 == 0 ? 4 : 6, length = 2 + c;
    Stage stage;
    stage.prompt = c / 3;
    stage.sample = c % 3;
    stage.text = SampledText{std::vector<int64_t>(static_cast<size_t>(length), 7), {}, false};
    const std::vector<int64_t> shape = {kWindow, tokens, 5};
    const Tensor old_velocity = exact(address + 1, shape, 1);
    stage.image.emplace();
    stage.image->states = exact(address + 2, shape, 1);
    std::vector<Tensor> nexts;
    for (int64_t k = 0; k < kWindow; ++k) {
      const StepCoefficients step = sde_coefficients(made.rollout.schedule.grid, k, 0.8);
      nexts.push_back(noisy_step(step_mean(stage.image->states[k], old_velocity[k], step),
                                 exact(address + 3 + static_cast<uint64_t>(k), {tokens, 5}, 1), step));
    }
    stage.image->nexts = at::stack(nexts);
    made.rollout.stages.push_back(stage);
    const Tensor old_logprobs = exact(address + 10, {length}, 1) - 2;
    made.old.push_back({old_logprobs, old_velocity});
    made.reference.push_back(
        {old_logprobs + exact(address + 11, {length}, 0.1), old_velocity + exact(address + 12, shape, 0.1)});
    made.logprobs.push_back((old_logprobs + exact(address + 13, {length}, 0.05)).requires_grad_());
    made.velocities.push_back((old_velocity + exact(address + 14, shape, 0.02)).requires_grad_());
    made.advantages.push_back(0.7 * static_cast<double>(c % 3) - 0.8);
    made.denominators.text.sequences += 1;
    made.denominators.text.tokens += length;
  }
  made.denominators.images = kStages;
  return made;
}

inline LossOptions all_parts() {
  LossOptions options;
  options.text_weight = 0.9;
  options.image_weight = 1.1;
  options.velocity_mse_weight = 0.3;
  options.latent_kl_weight = 0.2;
  options.text_kl_weight = 0.4;
  options.text_clip = {0.03, 0.04};
  options.image_clip = {4e-4, 5e-4};
  return options;
}

inline const std::vector<size_t> kAll = {0, 1, 2, 3, 4, 5};

inline JointLoss loss_of(const JointStages& made, const std::vector<size_t>& stages, const LossOptions& options) {
  return joint_loss({made.rollout, stages, made.now(stages), made.old, made.reference, made.advantages}, options,
                    made.denominators);
}

}  // namespace diptych
