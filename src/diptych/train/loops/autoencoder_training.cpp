#include "diptych/train/loops/autoencoder_training.h"

#include "diptych/base/error.h"
#include "diptych/base/log.h"
#include "diptych/base/stopwatch.h"
#include "diptych/base/text_format.h"
#include "diptych/model/folder/folder.h"
#include "diptych/tensor/image_tensor.h"
#include "diptych/tensor/random.h"
#include "diptych/train/loops/export.h"
#include "diptych/train/run/ranks.h"
#include "diptych/train/run/run_log.h"

namespace diptych {

namespace {

// Images that measure the latent's shift and scale at the end.
constexpr int64_t kMeasuredImages = 512;

Tensor image_batch(const ExampleSource& examples, int64_t step, int64_t count, at::Device device) {
  std::vector<Tensor> images;
  for (uint64_t index = 0; static_cast<int64_t>(images.size()) < count; ++index) {
    const SupervisedExample example = examples(static_cast<uint64_t>(step), index);
    if (example.image) images.push_back(image_to_tensor(*example.image));
  }
  return at::stack(images).to(device);
}

at::Device device_of(const Autoencoder& autoencoder) {
  return autoencoder.encoder.conv_in.weight.device();
}

MetricRow update(const AutoencoderRecipe& recipe, const ExampleSource& examples, int64_t step,
                 const Autoencoder& autoencoder, AdamW& optimizer) {
  const Tensor images = image_batch(examples, step, recipe.train.batch, device_of(autoencoder));
  const Moments moments = encode_moments(autoencoder, images);
  const Tensor eps = normal_tensor({.seed = static_cast<uint64_t>(recipe.run.seed),
                                    .purpose = Purpose::posterior,
                                    .step = static_cast<uint64_t>(step)},
                                   moments.mean.sizes())
                         .to(images.device());
  const AutoencoderConfig& config = autoencoder.config;
  const Tensor latents = (moments.mean + (0.5 * moments.logvar).exp() * eps - config.shift) * config.scale;
  const Tensor error = decode(autoencoder, latents) - images;
  const Tensor divergence = 0.5 * (moments.mean.square() + moments.logvar.exp() - 1 - moments.logvar).mean();
  const Tensor loss = error.abs().mean() + error.square().mean() + recipe.train.kl_weight * divergence;
  optimizer.clear_gradients();
  loss.backward();
  const StepReport report = optimizer.step(learning_rate_scale(recipe.optimizer, step, step, recipe.train.steps));
  check_applied(report, cat("autoencoder step ", step + 1));
  return {{"loss/total", loss.item<double>()},
          {"loss/squared_error", error.square().mean().item<double>()},
          {"loss/kl", divergence.item<double>()},
          {"grad_norm", report.grad_norm}};
}

// FLUX normalises latents as scale * (z - shift); both belong to the weights, so they are measured, not chosen.
void measure_latents(Bagel& model, const ExampleSource& examples, int64_t step) {
  at::NoGradGuard no_grad;
  const Moments moments =
      encode_moments(model.autoencoder, image_batch(examples, step, kMeasuredImages, device_of(model.autoencoder)));
  const double variance = moments.mean.var().item<double>() + moments.logvar.exp().mean().item<double>();
  AutoencoderConfig& config = model.config.vae;
  config.shift = moments.mean.mean().item<double>();
  config.scale = 1.0 / std::sqrt(variance);
  model.autoencoder.config = config;
}

}  // namespace

EndReason train_autoencoder(const AutoencoderRecipe& recipe) {
  require_one_process("training of the autoencoder");
  if (recipe.run.dtype != "float32")
    throw Error(ExitCode::config,
                {"run.dtype", "float32: the autoencoder computes in it everywhere", recipe.run.dtype, ""});
  ModelFolder folder = load_run_model(recipe.model, recipe.run);
  Bagel& model = folder.model;
  const auto seed = static_cast<uint64_t>(recipe.run.seed);
  const ExampleSource examples = make_examples(recipe.data, recipe.train.batch, seed);
  Session session(recipe.run, run_recipe(recipe, "autoencoder"), model_hashes(recipe.model));

  ParameterGroup group{"autoencoder", {}, recipe.train.learning_rate, recipe.optimizer.max_grad_norm};
  for (const ParameterSlot& slot : autoencoder_slots(model)) {
    slot.tensor->requires_grad_(true);
    group.parameters.push_back({slot.name, *slot.tensor});
  }
  const std::vector<NamedTensor> weights = group.parameters;
  AdamW optimizer({std::move(group)}, adamw_options(recipe.optimizer));
  session.restore(optimizer, weights);

  log_run_start({.run = recipe.run,
                 .model = recipe.model,
                 .first_step = session.first_step(),
                 .steps = recipe.train.steps,
                 .groups = optimizer.groups(),
                 .model_bytes = folder_bytes(model)});
  if (session.forks()) session.save(session.first_step(), optimizer, weights, {});
  Progress progress(recipe.train.steps, "autoencoder", session.first_step());
  for (int64_t step = session.first_step(); step < recipe.train.steps; ++step) {
    const Stopwatch started;
    MetricRow row;
    try {
      row = update(recipe, examples, step, model.autoencoder, optimizer);
    } catch (const std::exception& failure) {
      session.save_after(failure, step, [&] {
        if (!optimizer.intact()) throw std::runtime_error("an update was half done; the last checkpoint counts");
        session.save(step, optimizer, weights, {});
      });
      throw;
    }
    row["time/step"] = started.seconds();
    session.metrics().write(step + 1, row);
    progress.update(step + 1, cat("loss ", fixed(row.at("loss/total"), 4)));
    const bool last = step + 1 == recipe.train.steps;
    const bool stopping = stop_requested() && !last;
    if (stopping || last || session.due(step + 1)) session.save(step + 1, optimizer, weights, {});
    if (stopping) {
      progress.finish();
      return EndReason::interrupted;
    }
  }
  progress.finish();
  measure_latents(model, examples, recipe.train.steps);
  save_model_folder(session.folder() / "model", model, recipe.model, /*compact=*/false);
  check_model_folder(session.folder() / "model", model, /*compact=*/false);
  return EndReason::finished;
}

}  // namespace diptych
