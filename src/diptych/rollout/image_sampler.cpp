#include "diptych/rollout/image_sampler.h"

#include "diptych/flow/sde_step.h"
#include "diptych/rollout/text_sampler.h"
#include "diptych/tensor/device.h"
#include "diptych/tensor/image_tensor.h"
#include "diptych/tensor/random.h"

namespace diptych {

namespace {

// BAGEL's autoencoder holds about 3 GiB for each million pixels that it decodes.
constexpr int64_t kDecodedAtOnce = 64;
constexpr int64_t kPixelsAtOnce = int64_t{1} << 21;

int64_t tokens_of(const ImageTask& task) {
  return task.grid_height * task.grid_width;
}

Tensor step_noise(const std::vector<ImageTask>& tasks, int64_t step, const Tensor& like) {
  std::vector<Tensor> parts;
  for (const ImageTask& task : tasks) {
    StreamKey key = task.key;
    key.purpose = Purpose::step_noise;
    key.position += static_cast<uint64_t>(step) + 1;
    parts.push_back(normal_tensor(key, {tokens_of(task), like.size(1)}));
  }
  return on_device(at::cat(parts), like.options());
}

// One more sample of the pack per task: a noisy image behind `context`.
void add_branch(const std::vector<ImageTask>& tasks, const CachedContext ImageTask::*context, const Tensor& x,
                double time, std::vector<Segment>& segments) {
  int64_t begin = 0;
  for (const ImageTask& task : tasks) {
    const CachedContext& seen = task.*context;
    segments.push_back(
        noisy_segment(x.narrow(0, begin, tokens_of(task)), task.grid_height, task.grid_width, time, -1, seen.position));
    segments.back().cached = seen.rows;
    begin += tokens_of(task);
  }
}

Tensor guided_per_image(const std::vector<ImageTask>& tasks, const std::vector<Tensor>& branches,
                        const Guidance& guidance, double time) {
  std::vector<Tensor> guided;
  int64_t begin = 0;
  for (const ImageTask& task : tasks) {
    const auto part = [&](size_t branch) {
      return branch < branches.size() ? branches[branch].narrow(0, begin, tokens_of(task)) : Tensor();
    };
    guided.push_back(guided_velocity(part(0), part(1), part(2), guidance, time));
    begin += tokens_of(task);
  }
  return at::cat(guided);
}

std::vector<Tensor> split_rows(const std::vector<ImageTask>& tasks, const Tensor& rows) {
  std::vector<int64_t> sizes;
  for (const ImageTask& task : tasks) sizes.push_back(tokens_of(task));
  return rows.split_with_sizes(sizes);
}

}  // namespace

Tensor initial_noise(const ImageTask& task, int64_t channels) {
  StreamKey key = task.key;
  key.purpose = Purpose::initial_noise;
  return normal_tensor(key, {tokens_of(task), channels});
}

Tensor denoise_velocity(const Bagel& model, KvCache& cache, const std::vector<ImageTask>& tasks, const Tensor& x,
                        double time, const Guidance& guidance) {
  at::NoGradGuard no_grad;
  std::vector<Segment> segments;
  add_branch(tasks, &ImageTask::context, x, time, segments);
  if (uses_text_guidance(guidance, time)) add_branch(tasks, &ImageTask::text_dropped, x, time, segments);
  if (uses_image_guidance(guidance, time)) add_branch(tasks, &ImageTask::image_dropped, x, time, segments);
  const PackOutput output = forward(model, segments, &cache, CacheUse::scratch);
  const std::vector<Tensor> branches = velocity(model, output.latent).split(x.size(0));
  return branches.size() == 1 ? branches.front() : guided_per_image(tasks, branches, guidance, time);
}

std::vector<SampledImage> sample_images(const Bagel& model, KvCache& cache, const std::vector<ImageTask>& tasks,
                                        const DenoiseSchedule& schedule, const Guidance& guidance) {
  at::NoGradGuard no_grad;
  const int64_t channels = model.vae2llm.weight.size(1);
  std::vector<Tensor> starts;
  for (const ImageTask& task : tasks) starts.push_back(initial_noise(task, channels));
  Tensor x = on_device(at::cat(starts), model.embed_tokens.device());

  std::vector<Tensor> states;
  std::vector<Tensor> nexts;
  std::vector<Tensor> velocities;
  for (int64_t step = 0; step + 1 < static_cast<int64_t>(schedule.grid.size()); ++step) {
    const bool in_window = step >= schedule.window_begin && step < schedule.window_begin + schedule.window_size;
    const StepCoefficients coefficients = sde_coefficients(schedule.grid, step, in_window ? schedule.noise_level : 0.0);
    const Tensor v = denoise_velocity(model, cache, tasks, x, coefficients.t, guidance);
    const Tensor mean = step_mean(x, v.to(x.dtype()), coefficients);
    const Tensor next = in_window ? noisy_step(mean, step_noise(tasks, step, x), coefficients) : mean;
    if (in_window) {
      states.push_back(x);
      nexts.push_back(next);
      velocities.push_back(v);
    }
    x = next;
  }

  check_finite(x, "a denoised latent");
  std::vector<SampledImage> images(tasks.size());
  const std::vector<Tensor> latents = split_rows(tasks, x.cpu());
  for (size_t i = 0; i < tasks.size(); ++i) {
    images[i].grid_height = tasks[i].grid_height;
    images[i].grid_width = tasks[i].grid_width;
    images[i].latent = latents[i];
  }
  if (states.empty()) return images;
  const auto stack_window = [&](const std::vector<Tensor>& steps, Tensor SampledImage::*field) {
    std::vector<std::vector<Tensor>> parts;
    for (const Tensor& rows : steps) parts.push_back(split_rows(tasks, rows.cpu()));
    for (size_t i = 0; i < tasks.size(); ++i) {
      std::vector<Tensor> own;
      for (const std::vector<Tensor>& step : parts) own.push_back(step[i]);
      images[i].*field = at::stack(own);
    }
  };
  stack_window(states, &SampledImage::states);
  stack_window(nexts, &SampledImage::nexts);
  stack_window(velocities, &SampledImage::velocities);
  return images;
}

int64_t images_decoded_at_once(int64_t pixels) {
  return std::clamp<int64_t>(kPixelsAtOnce / pixels, 1, kDecodedAtOnce);
}

std::vector<Image> decode_latents(const Bagel& model, const std::vector<Tensor>& latents, int64_t grid_height,
                                  int64_t grid_width) {
  at::NoGradGuard no_grad;
  const int64_t side = latent_token_pixels(model.config);
  const auto batch = static_cast<size_t>(images_decoded_at_once(grid_height * side * grid_width * side));
  std::vector<Image> images;
  for (size_t begin = 0; begin < latents.size(); begin += batch) {
    const size_t end = std::min(latents.size(), begin + batch);
    std::vector<Tensor> maps;
    for (size_t i = begin; i < end; ++i)
      maps.push_back(unpatchify_latent(latents[i], grid_height, grid_width, model.config.latent_patch));
    const Tensor pixels =
        decode(model.autoencoder, at::stack(maps).to(model.autoencoder.decoder.conv_in.weight.options()));
    for (const Tensor& image : pixels.unbind()) images.push_back(tensor_to_image(image));
  }
  return images;
}

}  // namespace diptych
