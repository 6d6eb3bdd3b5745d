// 20: the model in bfloat16 against a bfloat16 run of the reference.

#include "diptych/base/text_format.h"
#include "diptych/flow/sde_step.h"
#include "diptych/parity/contexts.h"
#include "diptych/parity/items.h"
#include "diptych/parity/packing.h"

namespace diptych {

namespace {

// Loose, as bfloat16 rounds differently in other kernels: the reference itself is off float32 by 0.9 % in these norms.
constexpr double kRelativeNorm = 5e-2;
constexpr std::string_view kSampling = "ode_";

void compare_prefill(const ParityCase& parity, const Bagel& model, Comparison& comparison) {
  const std::string prefix = "text_prefill.";
  std::vector<Segment> segments;
  for (const std::vector<int64_t>& ids : stored_prompts(parity.folder)) segments.push_back(text_segment(ids, -1, 0));
  KvCache cache = make_cache(model);
  const PackOutput output = forward(model, segments, &cache);
  comparison.norm_close(prefix + "hidden_final", output.und, kRelativeNorm);
  comparison.norm_close(prefix + "logits", logits(model, output.und), kRelativeNorm);
  for (size_t layer = 0; layer < cache.keys.size(); ++layer) {
    const std::string key = cat(prefix, "kv.layer", layer);
    comparison.norm_close(key + ".key", cache.keys[layer].narrow(0, 0, cache.used), kRelativeNorm);
    comparison.norm_close(key + ".value", cache.values[layer].narrow(0, 0, cache.used), kRelativeNorm);
  }
}

void compare_velocities(const ParityCase& parity, const Bagel& model, Comparison& comparison) {
  const Fixture t2i(parity.folder / "06_velocity_t2i.safetensors");
  StoredTasks stored = stored_tasks(model, t2i);
  const std::vector<double> times = t2i.numbers("in.timesteps");
  for (size_t i = 0; i < times.size(); ++i)
    comparison.norm_close(cat("velocity_t2i.t", i, ".v_cond"),
                          denoise_velocity(model, stored.cache, stored.tasks, t2i.at("in.x_t"), times[i], {}),
                          kRelativeNorm);
}

void compare_sampling(const ParityCase& parity, const Bagel& model, const std::string& run, Comparison& comparison) {
  const Fixture ode(parity.folder / "07_ode.safetensors");
  StoredTasks stored = stored_tasks(model, Fixture(parity.folder / "06_velocity_t2i.safetensors"));
  const std::vector<double> grid = ode.numbers(run + ".out.grid");
  Tensor x = ode.at(run + ".in.noise");
  for (size_t k = 0; k + 1 < grid.size(); ++k)
    x = euler_step(x, denoise_velocity(model, stored.cache, stored.tasks, x, grid[k], {}), grid[k + 1] - grid[k]);
  int64_t begin = 0;
  for (size_t i = 0; i < stored.tasks.size(); ++i) {
    const int64_t tokens = stored.tasks[i].grid_height * stored.tasks[i].grid_width;
    comparison.norm_close(cat(kSampling, run, ".final_latent", i), x.narrow(0, begin, tokens), kRelativeNorm);
    begin += tokens;
  }
}

}  // namespace

ItemResult bfloat16_item(const ParityCase& parity) {
  at::NoGradGuard no_grad;
  const Fixture fixture(parity.folder / "20_bf16_reference.safetensors");
  Comparison comparison(parity.item, fixture);
  comparison.expect_every_key();
  const ModelFolder loaded = load_model_folder(parity.folder / "checkpoint", at::kBFloat16);
  compare_prefill(parity, loaded.model, comparison);
  compare_velocities(parity, loaded.model, comparison);
  for (const std::string& run : fixture.names(std::string(kSampling), ".final_latent0"))
    compare_sampling(parity, loaded.model, run, comparison);
  return comparison.result();
}

}  // namespace diptych
