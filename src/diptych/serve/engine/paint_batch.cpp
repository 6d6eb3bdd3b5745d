#include "diptych/serve/engine/paint_batch.h"

#include <algorithm>

#include "diptych/flow/sde_step.h"
#include "diptych/rollout/image_sampler.h"
#include "diptych/text/unicode.h"

namespace diptych {

namespace {

const PaintStage& stage_of(const PaintChain& chain) {
  return *chain.request->job.paint;
}

bool paints_alike(const PaintStage& a, const PaintStage& b) {
  return a.grid_height == b.grid_height && a.grid_width == b.grid_width && a.times == b.times &&
         a.guidance.text_scale == b.guidance.text_scale && a.guidance.image_scale == b.guidance.image_scale;
}

ImageTask task_of(const PaintChain& chain) {
  ImageTask task;
  task.context = chain.context;
  task.text_dropped = chain.request->text_dropped.context;
  task.image_dropped = chain.request->image_dropped.context;
  task.grid_height = stage_of(chain).grid_height;
  task.grid_width = stage_of(chain).grid_width;
  task.key = {.seed = chain.request->job.seed, .sample = static_cast<uint64_t>(chain.choice)};
  return task;
}

Tensor start_noise(const Bagel& model, const std::vector<ImageTask>& tasks) {
  std::vector<Tensor> starts;
  for (const ImageTask& task : tasks) starts.push_back(initial_noise(task, model.vae2llm.weight.size(1)));
  return at::cat(starts).to(model.embed_tokens.device());
}

void hand_on(const Bagel& model, PaintBatch& batch, EngineCounters& counters) {
  const PaintStage& stage = stage_of(batch.chains.front());
  const std::vector<Tensor> latents = batch.x.split(stage.grid_height * stage.grid_width);
  std::vector<PaintChain> sound;
  std::vector<Tensor> finite;
  for (size_t i = 0; i < batch.chains.size(); ++i) {
    if (latents[i].isfinite().all().item<bool>()) {
      finite.push_back(latents[i]);
      sound.push_back(std::move(batch.chains[i]));
    } else if (!batch.chains[i].request->ended) {
      fail(*batch.chains[i].request, {500, "server_error", "the model painted numbers that are not finite"});
    }
  }
  std::vector<Image> images = decode_latents(model, finite, stage.grid_height, stage.grid_width);
  for (size_t i = 0; i < images.size(); ++i) {
    PaintChain& chain = sound[i];
    chain.request->mailbox->push(
        ImageDone{chain.choice, std::move(images[i]), repair_utf8(chain.thinking), chain.tokens});
    close_one(*chain.request);
  }
  counters.images += static_cast<int64_t>(images.size());
  batch = {};
}

}  // namespace

int64_t rows_of_step(const PaintStage& stage) {
  const Guidance& guidance = stage.guidance;
  const int64_t branches = guidance.text_scale <= 1 ? 1 : guidance.image_scale <= 1 ? 2 : 3;
  return branches * (stage.grid_height * stage.grid_width + 2);
}

bool can_be_painted(const PaintChain& chain) {
  return chain.request->text_dropped.whole && chain.request->image_dropped.whole;
}

PaintBatch take_batch(std::deque<PaintChain>& waiting, int64_t images, int64_t rows) {
  PaintBatch batch;
  std::deque<PaintChain> others;
  for (PaintChain& chain : waiting) {
    const auto taken = static_cast<int64_t>(batch.chains.size());
    const bool joins = can_be_painted(chain) &&
                       (taken == 0 || (taken < images && (taken + 1) * rows_of_step(stage_of(chain)) <= rows &&
                                       paints_alike(stage_of(batch.chains.front()), stage_of(chain))));
    if (joins)
      batch.chains.push_back(std::move(chain));
    else
      others.push_back(std::move(chain));
  }
  waiting = std::move(others);
  return batch;
}

void paint_step(const Bagel& model, KvCache& cache, PaintBatch& batch, EngineCounters& counters) {
  at::NoGradGuard no_grad;
  const PaintStage& stage = stage_of(batch.chains.front());
  std::vector<ImageTask> tasks;
  for (const PaintChain& chain : batch.chains) tasks.push_back(task_of(chain));
  if (batch.step == 0) batch.x = start_noise(model, tasks);
  const StepCoefficients coefficients = sde_coefficients(stage.times, batch.step, /*noise_level=*/0);
  const Tensor v = denoise_velocity(model, cache, tasks, batch.x, coefficients.t, stage.guidance);
  batch.x = step_mean(batch.x, v.to(batch.x.dtype()), coefficients);
  ++counters.paint_passes;
  if (++batch.step + 1 == static_cast<int64_t>(stage.times.size())) hand_on(model, batch, counters);
}

void drop_ended(PaintBatch& batch) {
  const auto has_ended = [](const PaintChain& chain) { return chain.request->ended; };
  if (std::ranges::none_of(batch.chains, has_ended)) return;
  const int64_t tokens = batch.x.size(0) / static_cast<int64_t>(batch.chains.size());
  const std::vector<Tensor> latents = batch.x.split(tokens);
  PaintBatch kept;
  std::vector<Tensor> states;
  for (size_t i = 0; i < latents.size(); ++i) {
    if (has_ended(batch.chains[i])) continue;
    kept.chains.push_back(std::move(batch.chains[i]));
    states.push_back(latents[i]);
  }
  if (!states.empty()) kept.x = at::cat(states);
  kept.step = kept.chains.empty() ? 0 : batch.step;
  batch = std::move(kept);
}

}  // namespace diptych
