#include "diptych/tensor/torch.h"

#include "diptych/train/update/joint_loss.h"

#include <gtest/gtest.h>

#include <functional>
#include <set>

#include "diptych/flow/timestep_grid.h"
#include "diptych/rollout/episode.h"
#include "diptych/rollout/episodes/episodes.h"
#include "diptych/train/optimizer/trainable.h"
#include "support/compare.h"
#include "support/pictures.h"
#include "support/temporary_folder.h"
#include "support/tiny_model.h"

namespace diptych {
namespace {

using Parameters = std::vector<NamedTensor>;

/** The whole loss of a float64 model over a rollout, as a function of the weights. */
class JointLossGradient : public ::testing::Test {
 protected:
  void SetUp() override {
    EpisodeOptions episode = {.program = episode_program("think")};
    episode.text.max_tokens = 5;
    episode.schedule = {.grid = timestep_grid(5, 2), .noise_level = 0.8, .window_begin = 0, .window_size = 2};
    episode.image_height = episode.image_width = 16;
    roll_out_with(episode);
    options_.text_clip = options_.image_clip = {0.5, 0.5};
    options_.velocity_mse_weight = 0.7;
    options_.latent_kl_weight = 0.4;
    options_.text_kl_weight = 0.3;
    for (const ParameterSlot& slot : transformer_slots(made_.model)) {
      if (slot.name.ends_with("pos_embed.pos_embed")) continue;
      slot.tensor->requires_grad_(true);
      parameters_.push_back({slot.name, *slot.tensor});
    }
  }

  void roll_out_with(const EpisodeOptions& episode) {
    rollout_ = roll_out(sampler_.model, sampler_.tokenizer,
                        {.prompts = prompts_, .group_size = 2, .options = episode, .seed = 6});
    at::NoGradGuard no_grad;
    const std::vector<StageValues> values =
        stage_values(rollout_, stages_, replay(made_.model, rollout_, stages_, replay_));
    old_.clear();
    reference_.clear();
    denominators_ = {};
    denominators_.images = static_cast<int64_t>(stages_.size());
    // Old policy and reference lie a little aside, so that every ratio and penalty has a slope.
    for (size_t c = 0; c < stages_.size(); ++c) {
      const auto aside = [&](const Tensor& tensor, uint64_t address, double scale) {
        return tensor + numbers(address + 10 * c, tensor.sizes()).to(at::kDouble) * scale;
      };
      old_.push_back({aside(values[c].logprobs, 1, 0.05), aside(values[c].velocities, 2, 0.05)});
      reference_.push_back({aside(values[c].logprobs, 3, 0.1), aside(values[c].velocities, 4, 0.1)});
      denominators_.text.sequences += 1;
      denominators_.text.tokens += values[c].logprobs.numel();
    }
  }

  Tensor loss() const {
    const ReplayOutput now = replay(made_.model, rollout_, stages_, replay_);
    return joint_loss({rollout_, stages_, now, old_, reference_, advantages_}, options_, denominators_).total;
  }

  std::map<std::string, Tensor> gradients() {
    for (const NamedTensor& parameter : parameters_) parameter.tensor.mutable_grad() = Tensor();
    loss().backward();
    std::map<std::string, Tensor> result;
    for (const auto& [name, tensor] : parameters_)
      result[name] = tensor.grad().defined() ? tensor.grad().clone() : at::zeros_like(tensor);
    return result;
  }

  /** Central difference along a random direction in the weights that `chosen` picks, against the gradient. */
  void expect_slope(const std::function<bool(const std::string&)>& chosen, uint64_t address) {
    const std::map<std::string, Tensor> gradient = gradients();
    std::map<std::string, Tensor> direction;
    double expected = 0;
    for (const auto& [name, tensor] : parameters_) {
      if (!chosen(name)) continue;
      direction[name] = numbers(++address, tensor.sizes()).to(at::kDouble) / 20;
      expected += (direction[name] * gradient.at(name)).sum().item<double>();
    }
    ASSERT_FALSE(direction.empty());
    ASSERT_NE(expected, 0);
    constexpr double kStep = 1e-5;
    const auto moved = [&](double by) {
      at::NoGradGuard no_grad;
      for (const auto& [name, tensor] : parameters_)
        if (direction.contains(name)) Tensor(tensor).add_(direction.at(name), by);
      const double value = loss().item<double>();
      for (const auto& [name, tensor] : parameters_)
        if (direction.contains(name)) Tensor(tensor).sub_(direction.at(name), by);
      return value;
    };
    const double slope = (moved(kStep) - moved(-kStep)) / (2 * kStep);
    EXPECT_NEAR(slope / expected, 1, 1e-6) << "slope " << slope;
  }

  void expect_all_slopes() {
    expect_slope([](const std::string& name) { return is_generation_expert(name); }, 5000);
    expect_slope([](const std::string& name) { return !is_generation_expert(name); }, 6000);
    expect_slope([](const std::string& name) { return name.find("layers.0") != std::string::npos; }, 7000);
  }

  /** Largest gradient of the embeddings of ids that only stand in prompts and thoughts. */
  std::set<int64_t> context_ids() const {
    std::set<int64_t> ids;
    for (const StageContext& context : rollout_.contexts)
      for (const Segment& segment : context.full) ids.insert(segment.tokens.begin(), segment.tokens.end());
    for (const Stage& stage : rollout_.stages) ids.insert(stage.text->tokens.begin(), stage.text->tokens.end());
    ids.erase(made_.model.special.vision_start);
    ids.erase(made_.model.special.vision_end);
    return ids;
  }

  TemporaryFolder folder_;
  const ModelFolder sampler_ = make_tiny_model(folder_.path());
  ModelFolder made_ = load_model_folder(folder_.path(), at::kDouble);
  std::vector<EpisodePrompt> prompts_ = {{"a red circle", 0}, {"two squares", 1}};
  Rollout rollout_;
  const std::vector<size_t> stages_ = {0, 1, 2, 3};
  const std::vector<double> advantages_ = {1.3, -0.6, 0.8, -1.1};
  std::vector<StageValues> old_, reference_;
  LossOptions options_;
  LossDenominators denominators_;
  ReplayOptions replay_;
  Parameters parameters_;
};

const std::string kEmbeddings = "language_model.model.embed_tokens.weight";

TEST_F(JointLossGradient, AllPartsTogether) {
  expect_all_slopes();
}

TEST_F(JointLossGradient, PlainRatiosAndTightClips) {
  options_.ratio_norm = false;
  options_.text_clip = {0.02, 0.03};
  options_.image_clip = {0.01, 0.01};
  options_.aggregation = TokenAggregation::token_mean;
  options_.inverse_dt = true;
  expect_all_slopes();
}

TEST_F(JointLossGradient, EachPartAlone) {
  options_.velocity_mse_weight = options_.latent_kl_weight = options_.text_kl_weight = 0;
  replay_.with_text = false;
  expect_all_slopes();
  replay_.with_text = true;
  replay_.with_image = false;
  expect_slope([](const std::string& name) { return !is_generation_expert(name); }, 6000);
}

TEST_F(JointLossGradient, UnderGuidance) {
  EpisodeOptions episode = {.program = episode_program("think")};
  episode.text.max_tokens = 4;
  episode.schedule = {.grid = timestep_grid(5, 2), .noise_level = 0.8, .window_begin = 1, .window_size = 2};
  episode.image_height = episode.image_width = 16;
  episode.guidance.text_scale = 2;
  roll_out_with(episode);
  expect_all_slopes();
}

/** The context holds a picture as latent and as ViT patches, in two of the three branches. */
TEST_F(JointLossGradient, ThroughAPictureUnderBothGuidances) {
  prompts_[0].sources = {picture(16, 16, 10)};
  prompts_[1].sources = {picture(16, 24, 60)};
  EpisodeOptions episode = {.program = episode_program("edit_think")};
  episode.text.max_tokens = 4;
  episode.schedule = {.grid = timestep_grid(5, 2), .noise_level = 0.8, .window_begin = 1, .window_size = 2};
  episode.image_height = episode.image_width = 16;
  episode.edit_guidance = {.text_scale = 3, .image_scale = 2};
  const auto vit = [](const std::string& name) { return name.starts_with("vit_model"); };
  for (const RenormType renorm : {RenormType::global, RenormType::channel, RenormType::text_channel}) {
    episode.edit_guidance.renorm = renorm;
    roll_out_with(episode);
    expect_all_slopes();
    expect_slope(vit, 8000);
  }
  replay_.with_text = false;
  replay_.detach_context = true;
  for (const auto& [name, gradient] : gradients())
    if (vit(name)) {
      EXPECT_EQ(gradient.abs().max().item<double>(), 0) << name;
    }
}

TEST_F(JointLossGradient, DetachedContextLeavesTheGenerationExpertAsItIs) {
  const std::map<std::string, Tensor> full = gradients();
  replay_.detach_context = true;
  const std::map<std::string, Tensor> detached = gradients();
  for (const auto& [name, gradient] : full)
    if (is_generation_expert(name)) {
      EXPECT_TRUE(close(detached.at(name), gradient, {.normalised = 1e-12, .absolute = 1e-18})) << name;
    }
  // No row of the context runs through the generation expert, so its slope is that of the loss itself.
  expect_slope([](const std::string& name) { return is_generation_expert(name); }, 5000);
}

TEST_F(JointLossGradient, DetachedImageLossesDoNotReachTheContext) {
  const auto embeddings = [&](bool detach, bool text, bool image) {
    replay_.detach_context = detach;
    replay_.with_text = text;
    replay_.with_image = image;
    return gradients().at(kEmbeddings);
  };
  const Tensor full = embeddings(false, false, true), detached = embeddings(true, false, true);
  const Tensor both = embeddings(true, true, true), text = embeddings(true, true, false);
  int64_t reached = 0;
  for (const int64_t id : context_ids()) {
    EXPECT_EQ(detached[id].abs().max().item<double>(), 0) << id;
    EXPECT_TRUE(close(both[id], text[id], {.normalised = 1e-12, .absolute = 1e-18})) << id;
    reached += full[id].abs().max().item<double>() > 0 ? 1 : 0;
  }
  EXPECT_EQ(reached, static_cast<int64_t>(context_ids().size()));
  // The boundary tokens of the noisy images train the understanding expert either way.
  for (const int64_t id : {made_.model.special.vision_start, made_.model.special.vision_end})
    EXPECT_GT(detached[id].abs().max().item<double>(), 0);
}

}  // namespace
}  // namespace diptych
