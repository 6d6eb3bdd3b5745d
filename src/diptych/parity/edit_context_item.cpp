// 08: editing, from the image to the velocity.

#include "diptych/parity/contexts.h"
#include "diptych/parity/images.h"
#include "diptych/parity/items.h"
#include "diptych/parity/packing.h"
#include "diptych/tensor/image_tensor.h"

namespace diptych {

namespace {

struct Stages {
  const Bagel& model;
  const Fixture& fixture;
  Comparison& comparison;
  KvCache cache;

  // Prefills a segment behind the context; the context advances. `stage` is compared unless empty.
  void prefill(const std::string& stage, Segment segment, CachedContext& context) {
    segment.position = context.position;
    segment.cached = context.rows;
    const PackOutput output = forward(model, {segment}, &cache);
    for (int64_t row : cache_rows(output, 0)) context.rows.push_back(row);
    context.position = next_position(segment);
    if (stage.empty()) return;
    compare_packing(comparison, fixture, "in." + stage + ".", model, {segment}, output.layout);
    HiddenStates().compare(comparison, fixture, "out." + stage + ".", output);
  }
};

// The image at the autoencoder's size, and its pixels for the ViT; both start from the first.
Segment clean_segment(const Bagel& model, const Fixture& fixture, const Image& image, Comparison& comparison) {
  const Tensor pixels = image_to_tensor(image);
  comparison.equal("in.image_after_vae_resize_uint8", image);
  comparison.close("in.vae_pixels", pixels);
  comparison.close("in.vae.padded_images", pixels.unsqueeze(0));
  comparison.equal("in.image_size_hw", std::vector<int64_t>{image.height, image.width});
  const int64_t token = latent_token_pixels(model.config);
  const int64_t rows = image.height / token, columns = image.width / token;
  comparison.equal("in.vae.patchified_vae_latent_shapes", std::vector<int64_t>{rows, columns});
  const Tensor latent = encode_stored(model, pixels.unsqueeze(0), fixture.at("in.vae_eps"));
  return image_segment(SegmentKind::clean_latent, cropped_tokens(model, latent, 0, rows, columns), rows, columns, -1,
                       0);
}

Segment vit_segment_of(const Bagel& model, const Image& image, Comparison& comparison) {
  const Tensor pixels = image_to_tensor(resized(image, model.config.vit_transform));
  comparison.close("in.vit_pixels", pixels);
  const Segment segment = vit_segment(model, pixels);
  comparison.close("in.vit.packed_vit_tokens", segment.content);
  comparison.equal("in.vit.vit_token_seqlens", std::vector<int64_t>{segment.content.size(0)});
  return segment;
}

void compare_context(const std::string& prefix, const KvCache& cache, const CachedContext& context,
                     Comparison& comparison) {
  compare_cache(comparison, prefix + "kv.", cache, context.rows);
  comparison.equal(prefix + "kv_lens", std::vector<int64_t>{static_cast<int64_t>(context.rows.size())});
  comparison.equal(prefix + "ropes", std::vector<int64_t>{context.position});
}

}  // namespace

ItemResult edit_context_item(const ParityCase& parity) {
  at::NoGradGuard no_grad;
  const Fixture fixture(parity.folder / "08_edit_context.safetensors");
  Comparison comparison(parity.item, fixture);
  const Bagel& model = parity.model();
  const Image image = resized(stored_image(fixture.at("in.image_uint8")), model.config.vae_transform);
  const Segment text = text_segment(fixture.integers("in.text.packed_text_ids"), -1, 0);

  Stages stages{model, fixture, comparison, make_cache(model)};
  ImageTask task;
  stages.prefill("vae", clean_segment(model, fixture, image, comparison), task.context);
  stages.prefill("vit", vit_segment_of(model, image, comparison), task.context);
  task.text_dropped = task.context;
  stages.prefill("text", text, task.context);
  stages.prefill("", text, task.image_dropped);
  compare_context("out.ctx.cond.", stages.cache, task.context, comparison);
  compare_context("out.ctx.cfg_text.", stages.cache, task.text_dropped, comparison);
  compare_context("out.ctx.cfg_img.", stages.cache, task.image_dropped, comparison);

  task.grid_height = image.height / latent_token_pixels(model.config);
  task.grid_width = image.width / latent_token_pixels(model.config);
  const std::vector<ImageTask> tasks = {task};
  const Tensor& x = fixture.at("in.x_t");
  compare_denoise_packing(comparison, fixture, "in.denoise.", model, tasks, x);
  const double time = fixture.number("in.timestep");
  const auto compare_velocity = [&](const std::string& key, const std::vector<ImageTask>& of,
                                    const Guidance& guidance) {
    comparison.close(key, denoise_velocity(model, stages.cache, of, x, time, guidance));
  };
  compare_velocity("out.v_cond", tasks, {});
  compare_velocity("out.v_cfg_text", with_context(tasks, &ImageTask::text_dropped), {});
  compare_velocity("out.v_cfg_img", with_context(tasks, &ImageTask::image_dropped), {});
  const std::string guided = "out.v_";
  for (const auto& [key, expected] : fixture.tensors())
    if (key.starts_with(guided) && key.find("_min") != std::string::npos)
      compare_velocity(key, tasks, named_guidance(key.substr(guided.size())));
  return comparison.result();
}

}  // namespace diptych
