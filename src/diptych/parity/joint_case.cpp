#include "diptych/parity/joint_case.h"

#include <numeric>

#include "diptych/base/text_format.h"

namespace diptych {

namespace {

DenoiseSchedule stored_schedule(const Fixture& main) {
  const std::vector<int64_t> window = main.integers("in.window");
  for (size_t k = 0; k < window.size(); ++k)
    TORCH_CHECK(window[k] == window[0] + static_cast<int64_t>(k), "in.window: the steps are not consecutive");
  return {.grid = main.numbers("in.grid"),
          .noise_level = main.number("in.noise_level"),
          .window_begin = window.at(0),
          .window_size = static_cast<int64_t>(window.size())};
}

Stage stored_stage(const Fixture& main, const Fixture& values, size_t i, int64_t prompt) {
  const std::string in = cat("chain", i, ".in.");
  Stage stage;
  stage.prompt = prompt;
  stage.context = prompt;
  const std::vector<int64_t> think = main.integers(in + "think_segment");
  stage.text = SampledText{.tokens = {think.begin() + 1, think.end()}, .logprobs = main.numbers(in + "old_logprobs")};
  const std::vector<int64_t> grid = main.integers(in + "grid_hw");
  stage.image = SampledImage{.grid_height = grid.at(0),
                             .grid_width = grid.at(1),
                             .latent = {},
                             .states = values.at(in + "x_t"),
                             .nexts = values.at(in + "x_next"),
                             .velocities = values.at(in + "v_old")};
  if (values.has("in.guidance_scale"))
    stage.guidance = {.text_scale = values.number("in.guidance_scale"), .renorm_min = 1};
  return stage;
}

}  // namespace

JointCase joint_case(const Fixture& main, const Fixture& values) {
  JointCase joint;
  joint.advantages = main.numbers("in.advantages");
  const std::vector<int64_t> prompts = main.integers("in.prompt_of_chain");
  joint.rollout.schedule = stored_schedule(main);
  joint.rollout.prompts = *std::max_element(prompts.begin(), prompts.end()) + 1;
  joint.rollout.contexts.resize(static_cast<size_t>(joint.rollout.prompts));
  joint.stages.resize(prompts.size());
  std::iota(joint.stages.begin(), joint.stages.end(), 0);
  for (size_t i : joint.stages) {
    const std::string in = cat("chain", i, ".in.");
    joint.rollout.contexts[prompts[i]].full = {text_segment(main.integers(in + "prompt_segment"), -1, 0)};
    joint.rollout.stages.push_back(stored_stage(main, values, i, prompts[i]));
    const Tensor& logprobs = main.at(in + "old_logprobs");
    joint.old.push_back({logprobs, values.at(in + "v_old")});
    // The reference's log-probabilities are not stored; as their penalty has no weight, any will do.
    joint.reference.push_back({logprobs, values.at(in + "v_ref")});
  }
  const double text_clip = main.number("in.text_clip");
  const double image_clip = main.number("in.image_clip");
  joint.losses.text_clip = {text_clip, text_clip};
  joint.losses.image_clip = {image_clip, image_clip};
  joint.losses.velocity_mse_weight = main.number("in.mse_weight");
  return joint;
}

JointLoss backward(const Bagel& model, const JointCase& joint, JointPart part, bool detached,
                   const TrainableScope& trainable) {
  LossOptions losses = joint.losses;
  ReplayOptions options = joint.replay;
  options.detach_context = detached;
  if (part != JointPart::total) {
    losses.text_weight = part == JointPart::text ? 1 : 0;
    losses.image_weight = part == JointPart::flow ? 1 : 0;
    losses.velocity_mse_weight = part == JointPart::mse ? 1 : 0;
    options.with_text = part == JointPart::text;
    options.with_image = part != JointPart::text;
  }
  const auto count = static_cast<int64_t>(joint.stages.size());
  const LossDenominators denominators{.images = count, .text = {.sequences = count}};
  const ReplayOutput now = replay(model, joint.rollout, joint.stages, options);
  JointLoss loss = joint_loss({joint.rollout, joint.stages, now, joint.old, joint.reference, joint.advantages}, losses,
                              denominators);
  trainable.reset();
  loss.total.backward();
  return loss;
}

}  // namespace diptych
