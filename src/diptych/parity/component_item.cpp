// 13: small parts.

#include <cstdio>

#include "diptych/base/error.h"
#include "diptych/flow/timestep_grid.h"
#include "diptych/model/layers/embeddings.h"
#include "diptych/parity/comparison.h"
#include "diptych/parity/items.h"
#include "diptych/tensor/image_tensor.h"

namespace diptych {

namespace {

constexpr ParityTolerance kRounding{.absolute = 1e-6};

void compare_time(const Bagel& model, const Fixture& fixture, Comparison& comparison) {
  const Tensor& stored = fixture.at("time.sinusoid");
  const Tensor sinusoid = time_sinusoid(fixture.at("time.t"), stored.size(1));
  comparison.close("time.sinusoid", sinusoid);
  comparison.close("time.embedding",
                   linear(at::silu(linear(sinusoid.to(compute_options(model)), model.time_in)), model.time_out));
}

Tensor rotate_half(const Tensor& x) {
  const int64_t half = x.size(-1) / 2;
  return at::cat({-x.narrow(-1, half, half), x.narrow(-1, 0, half)}, -1);
}

// Keys of the first layer, which depend on token and position alone, for one token at all those positions.
Tensor first_keys(const Bagel& model, const std::vector<int64_t>& positions) {
  std::vector<Segment> segments;
  for (int64_t position : positions) segments.push_back(text_segment({model.special.im_start}, -1, position));
  KvCache cache = make_cache(model);
  forward(model, segments, &cache);
  return cache.keys.front().narrow(0, 0, static_cast<int64_t>(positions.size()));
}

// The model's rotation is not visible from outside: the key at position 0, rotated by the stored numbers, must be the
// key that the model computes at the stored positions.
void compare_rope(const Bagel& model, const Fixture& fixture, Comparison& comparison) {
  const Tensor unrotated = first_keys(model, {0});
  const Tensor expected =
      unrotated * fixture.at("rope.cos").unsqueeze(1) + rotate_half(unrotated) * fixture.at("rope.sin").unsqueeze(1);
  comparison.close_to("key rotated by rope.cos and rope.sin", first_keys(model, fixture.integers("rope.positions")),
                      expected, {.absolute = kFloatTolerance});
}

// "schedule.n10_shift3": 10 points, shift 3.
void compare_grid(const std::string& key, Comparison& comparison) {
  int points = 0;
  double shift = 0;
  if (std::sscanf(key.c_str(), "schedule.n%d_shift%lf", &points, &shift) != 2)
    throw Error(ExitCode::data, {"13_components.safetensors", "schedule.nN_shiftS", key, ""});
  comparison.close(key, at::tensor(timestep_grid(points, shift), at::kDouble), kRounding);
}

}  // namespace

ItemResult component_item(const ParityCase& parity) {
  at::NoGradGuard no_grad;
  const Fixture fixture(parity.folder / "13_components.safetensors");
  Comparison comparison(parity.item, fixture);
  const Bagel& model = parity.model();
  compare_time(model, fixture, comparison);
  compare_rope(model, fixture, comparison);
  const Tensor& latent = fixture.at("patchify.latent");
  const int64_t patch = model.config.latent_patch;
  const Tensor tokens = patchify_latent(latent, patch);
  comparison.close("patchify.tokens", tokens, {});
  comparison.close("patchify.latent", unpatchify_latent(tokens, latent.size(1) / patch, latent.size(2) / patch, patch),
                   {});
  comparison.close("patchify.rgb_patches", patchify_rgb(fixture.at("patchify.rgb"), model.config.vit.patch), {});
  for (const auto& [key, grid] : fixture.tensors())
    if (key.starts_with("schedule.")) compare_grid(key, comparison);
  return comparison.result();
}

}  // namespace diptych
