#include "diptych/tensor/autograd.h"

#include <gtest/gtest.h>

#include "diptych/base/text_format.h"
#include "diptych/flow/timestep_grid.h"
#include "diptych/model/attention/attention.h"
#include "diptych/model/layers/fused_kernels.h"
#include "diptych/model/layers/kernel_check.h"
#include "diptych/rollout/episodes/episodes.h"
#include "diptych/tensor/device.h"
#include "diptych/train/loops/autoencoder_training.h"
#include "diptych/train/loops/export.h"
#include "diptych/train/loops/rl.h"
#include "diptych/train/update/policy_update.h"
#include "golden/train/runs.h"
#include "support/expect_error.h"
#include "support/pretend_gpu.h"
#include "support/temporary_folder.h"
#include "support/tiny_model.h"

// What runs on a GPU must leave every tensor where it is, and give what the CPU gives. Here the GPU is pretended.

namespace diptych {
namespace {

const Tolerance kRounding{.normalised = 1e-4, .absolute = 1e-6};

EpisodeOptions episode_of(int64_t updates) {
  EpisodeOptions episode = {.program = episode_program("think")};
  episode.text.max_tokens = 6;
  episode.schedule = {.grid = timestep_grid(updates + 1, 2), .noise_level = 0.8, .window_begin = 0, .window_size = 2};
  episode.image_height = episode.image_width = 16;
  return episode;
}

/** A tiny model on a device with a rollout of two groups of three stages and one update of it. */
struct Learner {
  Learner(const std::filesystem::path& folder, at::Device device, at::ScalarType dtype, AdapterOptions adapters = {},
          bool recompute = false)
      : made(load_model_folder(folder, dtype, device)) {
    policy = std::make_unique<TrainedPolicy>(
        made.model,
        PolicyOptions{
            .adapters = adapters, .und_learning_rate = 1e-3, .gen_learning_rate = 1e-3, .adamw = {.weight_decay = 0}});
    made.model.decoder.recompute = recompute;
    rollout = roll_out(
        made.model, made.tokenizer,
        {.prompts = {{"a red circle", 0}, {"two squares", 1}}, .group_size = 3, .options = episode_of(4), .seed = 6});
    options.loss.velocity_mse_weight = 1e-2;
    options.loss.text_kl_weight = 1e-2;
    options.gate_text = options.gate_image = std::numeric_limits<double>::infinity();
  }

  UpdateReport update() {
    const std::vector<StageValues> reference = [&] {
      const ReferenceInPlace in_place(*policy);
      return replay_values(made.model, rollout, stages, options);
    }();
    const UpdateInput input{rollout, stages, advantages, reference};
    return PolicyUpdate(made.model, *policy, options, input).run([] { return 1.0; });
  }

  ModelFolder made;
  std::unique_ptr<TrainedPolicy> policy;
  Rollout rollout;
  std::vector<size_t> stages = {0, 1, 2, 3, 4, 5};
  std::vector<double> advantages = {1.2, -0.4, -0.8, 0.3, 0.9, -1.2};
  UpdateOptions options;
};

class DeviceTest : public ::testing::Test {
 protected:
  void SetUp() override {
    pretend_gpu();
    make_tiny_model(folder_.path() / "model");
  }

  void expect_same_step(Learner& there, Learner& here, Tolerance tolerance) {
    for (size_t c = 0; c < here.rollout.stages.size(); ++c) {
      const Stage &actual = there.rollout.stages[c], &expected = here.rollout.stages[c];
      EXPECT_EQ(actual.text->tokens, expected.text->tokens) << c;
      EXPECT_TRUE(actual.image->latent.is_cpu());
      EXPECT_TRUE(close(actual.image->latent, expected.image->latent, tolerance)) << c;
      EXPECT_TRUE(close(actual.image->velocities, expected.image->velocities, tolerance)) << c;
    }
    const UpdateReport actual = there.update(), expected = here.update();
    EXPECT_EQ(actual.applied, 1);
    ASSERT_EQ(expected.applied, 1);
    const std::vector<NamedTensor> ours = there.policy->restorable(), theirs = here.policy->restorable();
    ASSERT_EQ(ours.size(), theirs.size());
    for (size_t i = 0; i < ours.size(); ++i) {
      EXPECT_EQ(ours[i].name, theirs[i].name);
      // Adam's first step moves a weight by the learning rate, whatever its gradient, so rounding of gradients near
      // zero shows in full: .05 of that.
      EXPECT_TRUE(close(ours[i].tensor, theirs[i].tensor, {.normalised = tolerance.normalised, .absolute = 5e-5}))
          << ours[i].name;
    }
  }

  std::filesystem::path model() const { return folder_.path() / "model"; }

  TemporaryFolder folder_;
};

TEST(PretendGpuDeathTest, ItsMemoryIsNotTheHosts) {
  const Tensor there = at::ones({4}).to(pretend_gpu());
  EXPECT_EQ(there.sum().item<float>(), 4);
  EXPECT_DEATH(
      {
        volatile float value = *there.const_data_ptr<float>();
        static_cast<void>(value);
      },
      "");
  EXPECT_THROW(at::mm(at::ones({2, 2}).to(pretend_gpu()), at::ones({2, 2})), c10::Error);
}

TEST_F(DeviceTest, AnRlStepIsTheCpus) {
  Learner here(model(), at::kCPU, at::kFloat), there(model(), pretend_gpu(), at::kFloat);
  expect_same_step(there, here, kRounding);
}

TEST_F(DeviceTest, SoItIsWithAdaptersAndRecomputedLayers) {
  AdapterOptions adapters;
  adapters.rank = 4;
  adapters.alpha = 8;
  adapters.targets = {"*_proj*"};
  Learner here(model(), at::kCPU, at::kFloat, adapters, true),
      there(model(), pretend_gpu(), at::kFloat, adapters, true);
  expect_same_step(there, here, kRounding);
}

TEST_F(DeviceTest, InBfloat16ItRunsFlashAttentionAndReplaysWhatItSampled) {
  const int64_t calls = attention_calls(), layers = fused_layer_calls();
  Learner there(model(), pretend_gpu(), at::kBFloat16);
  EXPECT_GT(attention_calls(), calls);
  EXPECT_GT(fused_layer_calls(), layers);
  const std::vector<StageValues> replayed = replay_values(there.made.model, there.rollout, there.stages, there.options);
  for (size_t c = 0; c < there.stages.size(); ++c) {
    const Stage& stage = there.rollout.stages[c];
    const Tensor sampled = at::tensor(stage.text->logprobs, at::kDouble).to(at::kFloat);
    // Packed otherwise, products round otherwise: bfloat16 has 8 bits, and this model a dozen layers of them.
    EXPECT_TRUE(close(replayed[c].logprobs.cpu(), sampled, {.normalised = 2e-2}));
    EXPECT_TRUE(close(replayed[c].velocities.cpu(), stage.image->velocities.cpu(), {.normalised = 2e-2}));
  }
  const UpdateReport report = there.update();
  EXPECT_EQ(report.applied, 1);
}

TEST_F(DeviceTest, LargeImagesOfOneSizeAreBatchedInstead) {
  std::vector<Segment> segments = {text_segment({5, 6, 7}, -1, 0)};
  for (int image = 0; image < 3; ++image) segments.push_back(noisy_segment(numbers(30, {256, 16}), 16, 16, 0.5, 0, 3));
  segments.push_back(noisy_segment(numbers(31, {272, 16}), 16, 17, 0.5, 0, 3));
  const PackLayout layout = lay_out(segments, 2, 3, -1, at::kCPU);
  const int64_t rows = layout.total_rows();
  std::vector<Tensor> inputs;
  for (const int64_t heads : {4, 2, 2})
    inputs.push_back(numbers(10 + inputs.size(), {rows, heads, 8}).to(at::kBFloat16));
  const AttentionPlan plan =
      plan_attention(layout.blocks, rows, 8, at::TensorOptions(at::kBFloat16).device(pretend_gpu()));
  ASSERT_EQ(plan.groups.size(), 1U);
  EXPECT_EQ(plan.groups.front().batch, 3);
  EXPECT_FALSE(plan.groups.front().mask.defined());
  ASSERT_EQ(plan.sequences.size(), 2U);  // the text, and the image of another size
  const Tensor expected = attend(plan_groups(*layout.blocks, rows, at::kBFloat16), inputs[0], inputs[1], inputs[2]);
  const Tensor actual =
      attend(plan, inputs[0].to(pretend_gpu()), inputs[1].to(pretend_gpu()), inputs[2].to(pretend_gpu()));
  EXPECT_TRUE(close(actual, expected, {.normalised = 8e-2}));
}

TEST_F(DeviceTest, SequencesAreTheGroupsOfAttention) {
  Bagel model = tiny_bagel();
  const std::vector<Segment> segments = {text_segment({5, 6, 7}, -1, 0), text_segment({8, 9}, 0, 3),
                                         noisy_segment(numbers(1, {4, 16}), 2, 2, 0.5, 0, 3),
                                         noisy_segment(numbers(2, {6, 16}), 2, 3, 0.7, 1, 5)};
  const PackLayout layout = lay_out(segments, 2, 3, -1, at::kCPU);
  const int64_t rows = layout.total_rows();
  std::vector<Tensor> inputs, copies;
  for (const int64_t heads : {4, 2, 2}) {
    inputs.push_back(numbers(10 + inputs.size(), {rows, heads, 8}).to(at::kBFloat16).requires_grad_());
    copies.push_back(inputs.back().detach().to(pretend_gpu()).requires_grad_());
  }
  const AttentionPlan groups = plan_groups(*layout.blocks, rows, inputs[0].options());
  const AttentionPlan sequences = plan_attention(layout.blocks, rows, 8, copies[0].options());
  ASSERT_EQ(sequences.sequences.size(), 2U);  // images, and texts
  EXPECT_TRUE(plan_attention(layout.blocks, rows, 12, copies[0].options()).sequences.empty());
  const Tensor expected = attend(groups, inputs[0], inputs[1], inputs[2]);
  const Tensor actual = attend(sequences, copies[0], copies[1], copies[2]);
  EXPECT_TRUE(close(actual, expected, {.normalised = 3e-2}));
  const Tensor slope = numbers(20, expected.sizes()).to(at::kBFloat16);
  const std::vector<Tensor> exact = torch::autograd::grad({expected}, inputs, {slope});
  const std::vector<Tensor> gradients = torch::autograd::grad({actual}, copies, {slope.to(pretend_gpu())});
  for (size_t i = 0; i < 3; ++i) EXPECT_TRUE(close(gradients[i], exact[i], {.normalised = 1e-1})) << i;
}

TEST_F(DeviceTest, FusedLayersAreCheckedWhenAModelIsLoaded) {
  const int64_t calls = fused_layer_calls();
  EXPECT_EQ(kernel_damage(pretend_gpu()), "");
  EXPECT_EQ(fused_layer_calls(), calls + 8);
  EXPECT_EQ(kernel_damage(at::kCPU), "");
  const Tensor rows = at::empty({1, 8}, at::TensorOptions(at::kBFloat16).device(pretend_gpu()));
  const FusedKernels* sound = fused_kernels(rows, rows);
  ASSERT_NE(sound, nullptr);
  FusedKernels broken = *sound;
  register_fused_kernels(pretend_gpu().type(), &broken);
  broken.norm_rotate_gradient = [](const Tensor&, const Tensor&, const Tensor&, const Tensor&, const Rotation&,
                                   const Tensor& x_gradient, const Tensor& n_gradient) {
    x_gradient.zero_();
    if (n_gradient.defined()) n_gradient.zero_();
  };
  EXPECT_TRUE(kernel_damage(pretend_gpu()).starts_with("norm_rotate: gradient 0 is off by "));
  broken = *sound;
  broken.silu_mul = [](const Tensor&, const Tensor&, const Tensor& y) { y.fill_(std::nan("")); };
  expect_error([&] { load_model_folder(model(), at::kBFloat16, pretend_gpu()); }, ExitCode::internal,
               {"silu_mul", "the output", "nan", "DIPTYCH_CUDA_KERNELS=OFF"});
  load_model_folder(model(), at::kFloat, pretend_gpu());
  broken.silu_mul = [](const Tensor&, const Tensor&, const Tensor&) { TORCH_CHECK(false, "no kernel image"); };
  EXPECT_TRUE(kernel_damage(pretend_gpu()).starts_with("silu_mul: no kernel image"));
  register_fused_kernels(pretend_gpu().type(), nullptr);
  EXPECT_EQ(kernel_damage(pretend_gpu()), "");
  load_model_folder(model(), at::kBFloat16, pretend_gpu());  // as torch's operations
  register_fused_kernels(pretend_gpu().type(), sound);
}

TEST_F(DeviceTest, WidthsThatNoKernelTakesRunAsTorchsOperations) {
  const int64_t calls = fused_layer_calls();
  const Tensor x = numbers(1, {5, 12}).to(at::kBFloat16), weight = numbers(2, {12}).to(at::kBFloat16);
  EXPECT_TRUE(close(rms_norm(x.to(pretend_gpu()), weight.to(pretend_gpu()), 1e-6), rms_norm(x, weight, 1e-6),
                    {.normalised = 2e-2}));
  EXPECT_EQ(fused_layer_calls(), calls);
}

// Whoever waits for the GPU cannot give it work meanwhile.
TEST_F(DeviceTest, TheHostDoesNotWaitForDenoisingSteps) {
  const ModelFolder made = load_model_folder(model(), at::kFloat, pretend_gpu());
  const auto waits_of = [&](int64_t updates) {
    EpisodeOptions episode = episode_of(updates);
    episode.program = episode_program("t2i");
    const int64_t before = host_waits();
    roll_out(made.model, made.tokenizer,
             {.prompts = {{"a red circle", 0}}, .group_size = 3, .options = episode, .seed = 6});
    return host_waits() - before;
  };
  EXPECT_EQ(waits_of(10), waits_of(4));
}

TEST_F(DeviceTest, TheHostWaitsOnceForEachTokenOfAThought) {
  const ModelFolder made = load_model_folder(model(), at::kFloat, pretend_gpu());
  const auto waits_of = [&](int64_t tokens) {
    EpisodeOptions episode = episode_of(4);
    episode.text.max_tokens = tokens;
    const int64_t before = host_waits();
    const Rollout rollout =
        roll_out(made.model, made.tokenizer, {.prompts = {{"a red circle", 0}}, .options = episode, .seed = 6});
    EXPECT_TRUE(rollout.stages.front().text->truncated);
    return host_waits() - before;
  };
  EXPECT_EQ(waits_of(6) - waits_of(3), 3);
}

TEST_F(DeviceTest, ARunTrainsSavesContinuesAndExports) {
  RlRecipe here = rl_recipe(model(), folder_.path() / "here");
  here.train.steps = 2;
  train_rl(here);
  RlRecipe there = here;
  there.run.dir = folder_.path() / "there";
  there.run.device = c10::get_privateuse1_backend();
  there.train.steps = 1;
  train_rl(there);
  there.train.steps = 2;
  EXPECT_EQ(train_rl(there).steps, 2);
  const std::vector<nlohmann::json> expected = metric_rows(here.run.dir), actual = metric_rows(there.run.dir);
  ASSERT_EQ(actual.size(), expected.size());
  int64_t compared = 0;
  for (size_t row = 0; row < actual.size(); ++row) {
    for (const char* name : {"reward/mean", "loss/text", "loss/image", "grad_norm/und", "grad_norm/gen"}) {
      if (!expected[row].contains(name)) continue;
      const double value = expected[row].at(name).get<double>();
      EXPECT_NEAR(actual[row].at(name).get<double>(), value, 2e-3 * (1 + std::abs(value))) << name << " in row " << row;
      ++compared;
    }
  }
  EXPECT_EQ(compared, 10);  // two steps
  EXPECT_EQ(export_run(there.run.dir, folder_.path() / "exported"), 2);
}

TEST_F(DeviceTest, RefinementRunsThereInBfloat16) {
  RlRecipe recipe = rl_recipe(model(), folder_.path() / "run");
  recipe.run.device = c10::get_privateuse1_backend();
  recipe.run.dtype = "bfloat16";
  recipe.rollout.episode = "reflect";
  recipe.refine.initial_images = 3;
  recipe.train.steps = 2;
  recipe.train.gate_text = recipe.train.gate_image = 1e6;
  recipe.eval.prompts = 0;
  EXPECT_EQ(train_rl(recipe).steps, 2);
}

TEST_F(DeviceTest, SoDoSupervisedSteps) {
  SftRecipe here = sft_recipe(model(), folder_.path() / "here"), there = here;
  there.run.dir = folder_.path() / "there";
  there.run.device = c10::get_privateuse1_backend();
  train_sft(here);
  train_sft(there);
  const std::vector<nlohmann::json> expected = metric_rows(here.run.dir), actual = metric_rows(there.run.dir);
  ASSERT_EQ(actual.size(), expected.size());
  for (size_t row = 0; row < actual.size(); ++row) {
    if (!expected[row].contains("loss/flow")) continue;  // an evaluation
    for (const char* name : {"loss/cross_entropy", "loss/flow", "grad_norm/all"})
      EXPECT_NEAR(actual[row].at(name).get<double>(), expected[row].at(name).get<double>(), 1e-3) << name << row;
  }
  EXPECT_TRUE(expected.front().contains("loss/flow") || expected.back().contains("loss/flow"));
}

TEST_F(DeviceTest, SoDoStepsOfTheAutoencoder) {
  AutoencoderRecipe here;
  here.model = model();
  here.run.dir = folder_.path() / "here";
  here.run.threads = 1;
  here.train.steps = 2;
  here.train.batch = 3;
  AutoencoderRecipe there = here;
  there.run.dir = folder_.path() / "there";
  there.run.device = c10::get_privateuse1_backend();
  train_autoencoder(here);
  train_autoencoder(there);
  ModelFolder expected = load_model_folder(folder_.path() / "here" / "model");
  ModelFolder actual = load_model_folder(folder_.path() / "there" / "model");
  EXPECT_NEAR(actual.model.config.vae.scale, expected.model.config.vae.scale, 1e-4);
}

TEST_F(DeviceTest, ADeviceThatIsNotHereIsNamed) {
  RlRecipe recipe = rl_recipe(model(), folder_.path() / "run");
  recipe.run.device = "gpu";
  expect_error([&] { train_rl(recipe); }, ExitCode::config, {"run.device", "cuda:1", "gpu"});
  recipe.run.device = cat(c10::get_privateuse1_backend(), ":3");
  pretend_gpu();
  expect_error([&] { train_rl(recipe); }, ExitCode::config, {"run.device", "below 1"});
}

}  // namespace
}  // namespace diptych
