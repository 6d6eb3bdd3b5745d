// 06: velocities behind stored contexts.

#include "diptych/base/text_format.h"
#include "diptych/parity/contexts.h"
#include "diptych/parity/items.h"
#include "diptych/parity/packing.h"

namespace diptych {

namespace {

constexpr std::string_view kPackedTrap = "trap_packed_";

// Every output of one time, `prefix` = "out.t{i}.".
void compare_time(const Bagel& model, const Fixture& fixture, const std::string& prefix, const Tensor& x, double time,
                  StoredTasks& stored, Comparison& comparison) {
  const auto plain = [&](const CachedContext ImageTask::*context) {
    return denoise_velocity(model, stored.cache, with_context(stored.tasks, context), x, time, {});
  };
  const Tensor v_cond = plain(&ImageTask::context);
  const Tensor v_text = plain(&ImageTask::text_dropped);
  const Tensor v_image = plain(&ImageTask::image_dropped);
  comparison.close(prefix + "v_cond", v_cond);
  comparison.close(prefix + "v_cfg_text", v_text);
  comparison.close(prefix + "v_cfg_img", v_image);
  for (const auto& [key, expected] : fixture.tensors()) {
    if (!key.starts_with(prefix) || key.find("_min") == std::string::npos) continue;
    const std::string name = key.substr(prefix.size());
    // The official code on a pack: one norm over all images. Reached here by calling the pack one image.
    if (name.starts_with(kPackedTrap))
      comparison.close(key,
                       guided_velocity(v_cond, v_text, v_image, named_guidance(name.substr(kPackedTrap.size())), time));
    else
      comparison.close(key, denoise_velocity(model, stored.cache, stored.tasks, x, time, named_guidance(name)));
  }
  if (!fixture.has(prefix + "hidden_final")) return;
  const std::vector<Segment> segments = noisy_segments(stored.tasks, x, time);
  HiddenStates states;
  const PackOutput output = forward(model, segments, &stored.cache, CacheUse::scratch, states.tap());
  const Streams inputs = embed(model, segments, output.layout);
  comparison.close(prefix + "llm_input", in_token_order(output.layout, inputs.und, inputs.gen));
  states.compare(comparison, fixture, prefix, output);
}

ItemResult velocity_item(const ParityCase& parity, const char* file) {
  at::NoGradGuard no_grad;
  const Fixture fixture(parity.folder / file);
  Comparison comparison(parity.item, fixture);
  const Bagel& model = parity.model();
  StoredTasks stored = stored_tasks(model, fixture);
  const Tensor& x = fixture.at("in.x_t");
  compare_denoise_packing(comparison, fixture, "in.", model, stored.tasks, x);
  const std::vector<double> times = fixture.numbers("in.timesteps");
  for (size_t i = 0; i < times.size(); ++i)
    compare_time(model, fixture, cat("out.t", i, "."), x, times[i], stored, comparison);
  return comparison.result();
}

}  // namespace

ItemResult velocity_t2i_item(const ParityCase& parity) {
  return velocity_item(parity, "06_velocity_t2i.safetensors");
}

ItemResult velocity_edit_item(const ParityCase& parity) {
  return velocity_item(parity, "06_velocity_edit.safetensors");
}

}  // namespace diptych
