// 07: complete sampling.

#include <cmath>

#include "diptych/base/text_format.h"
#include "diptych/flow/sde_step.h"
#include "diptych/flow/timestep_grid.h"
#include "diptych/parity/contexts.h"
#include "diptych/parity/images.h"
#include "diptych/parity/items.h"
#include "diptych/tensor/image_tensor.h"

namespace diptych {

namespace {

// Text scale, image scale, interval, renorm_min, renorm type.
Guidance stored_guidance(const std::vector<double>& cfg) {
  constexpr RenormType kTypes[] = {RenormType::global, RenormType::channel, RenormType::text_channel};
  return {.text_scale = cfg.at(0),
          .image_scale = cfg.at(1),
          .interval_low = cfg.at(2),
          .interval_high = cfg.at(3),
          .renorm_min = cfg.at(4),
          .renorm = kTypes[static_cast<int>(cfg.at(5))]};
}

// The shift is not stored: it follows from the second point of the grid, s u / (1 + (s - 1) u).
double shift_of(const std::vector<double>& grid) {
  const double u = static_cast<double>(grid.size() - 2) / static_cast<double>(grid.size() - 1);
  return grid.size() < 3 ? 1.0 : std::round(1e4 * grid[1] * (1 - u) / (u * (1 - grid[1]))) / 1e4;
}

// The first samples of the file 06 whose name the run's begins with, "t2i" or "edit".
StoredTasks tasks_of_run(const ParityCase& parity, const Fixture& fixture, const std::string& run,
                         Comparison& comparison) {
  const std::string kind = run.substr(0, run.find('_'));
  StoredTasks stored = stored_tasks(parity.model(), Fixture(parity.folder / cat("06_velocity_", kind, ".safetensors")));
  const std::vector<int64_t> sizes = fixture.integers(run + ".in.image_sizes_hw");
  stored.tasks.resize(sizes.size() / 2);
  const int64_t pixels = latent_token_pixels(parity.model().config);
  std::vector<int64_t> task_sizes;
  const auto compare_context = [&](const std::string& prefix, const CachedContext ImageTask::*field) {
    std::vector<int64_t> lengths, positions;
    for (const ImageTask& task : stored.tasks) {
      lengths.push_back(static_cast<int64_t>((task.*field).rows.size()));
      positions.push_back((task.*field).position);
    }
    comparison.equal(prefix + "kv_lens", lengths);
    comparison.equal(prefix + "ropes", positions);
  };
  for (const ImageTask& task : stored.tasks) {
    task_sizes.push_back(task.grid_height * pixels);
    task_sizes.push_back(task.grid_width * pixels);
  }
  comparison.equal(run + ".in.image_sizes_hw", task_sizes);
  compare_context(run + ".in.", &ImageTask::context);
  compare_context(run + ".in.ctx.cond.", &ImageTask::context);
  compare_context(run + ".in.ctx.cfg_text.", &ImageTask::text_dropped);
  compare_context(run + ".in.ctx.cfg_img.", &ImageTask::image_dropped);
  return stored;
}

void compare_images(const Bagel& model, const std::string& out, const std::vector<ImageTask>& tasks, const Tensor& x,
                    Comparison& comparison) {
  int64_t begin = 0;
  for (size_t i = 0; i < tasks.size(); ++i) {
    const auto& [height, width] = std::pair(tasks[i].grid_height, tasks[i].grid_width);
    const Tensor tokens = x.narrow(0, begin, height * width);
    begin += height * width;
    comparison.close(cat(out, "final_latent", i), tokens);
    const Tensor latent = unpatchify_latent(tokens, height, width, model.config.latent_patch);
    compare_decoded(comparison, cat(out, "image", i, "_"),
                    decode(model.autoencoder, latent.unsqueeze(0).to(autoencoder_dtype(model)))[0]);
  }
}

void compare_run(const ParityCase& parity, const Fixture& fixture, const std::string& run, Comparison& comparison) {
  const Bagel& model = parity.model();
  const std::string out = run + ".out.";
  StoredTasks stored = tasks_of_run(parity, fixture, run, comparison);
  const Guidance guidance = stored_guidance(fixture.numbers(run + ".in.cfg"));
  const std::vector<double> stored_grid = fixture.numbers(out + "grid");
  const std::vector<double> grid = timestep_grid(static_cast<int64_t>(stored_grid.size()), shift_of(stored_grid));
  comparison.close(out + "grid", at::tensor(grid, at::kDouble), {.absolute = 1e-6});

  Tensor x = fixture.at(run + ".in.noise");
  std::vector<Tensor> states = {x}, velocities;
  for (size_t k = 0; k + 1 < grid.size(); ++k) {
    velocities.push_back(denoise_velocity(model, stored.cache, stored.tasks, x, grid[k], guidance));
    x = euler_step(x, velocities.back(), grid[k + 1] - grid[k]);
    states.push_back(x);
  }
  comparison.close(out + "v_t", at::stack(velocities));
  comparison.close(out + "x_t", at::stack(states));
  compare_images(model, out, stored.tasks, x, comparison);
}

}  // namespace

ItemResult sampling_item(const ParityCase& parity) {
  at::NoGradGuard no_grad;
  const Fixture fixture(parity.folder / "07_ode.safetensors");
  Comparison comparison(parity.item, fixture);
  for (const std::string& run : fixture.names("", ".in.noise")) compare_run(parity, fixture, run, comparison);
  return comparison.result();
}

}  // namespace diptych
