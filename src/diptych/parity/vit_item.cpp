// 03: images through the ViT into the cache.

#include "diptych/base/text_format.h"
#include "diptych/parity/images.h"
#include "diptych/parity/items.h"
#include "diptych/parity/packing.h"
#include "diptych/tensor/image_tensor.h"

namespace diptych {

namespace {

// Segments of the stored images, resized by our own code; every step on the way is compared.
std::vector<Segment> image_segments(const Bagel& model, const Fixture& fixture, Comparison& comparison) {
  std::vector<Segment> segments;
  for (int64_t i = 0; fixture.has(cat("in.image", i, "_uint8")); ++i) {
    const std::string key = cat("in.image", i, "_");
    const Image image = resized(stored_image(fixture.at(key + "uint8")), model.config.vit_transform);
    comparison.equal(key + "resized_uint8", image);
    const Tensor pixels = image_to_tensor(image);
    comparison.close(key + "pixels", pixels);
    segments.push_back(vit_segment(model, pixels));
  }
  return segments;
}

}  // namespace

ItemResult vit_item(const ParityCase& parity) {
  at::NoGradGuard no_grad;
  const Fixture fixture(parity.folder / "03_vit_prefill.safetensors");
  Comparison comparison(parity.item, fixture);
  const Bagel& model = parity.model();
  TORCH_CHECK(model.vit.has_value(), "the checkpoint has no ViT");
  const std::vector<Segment> segments = image_segments(model, fixture, comparison);
  std::vector<Tensor> contents;
  std::vector<int64_t> lengths;
  for (const Segment& segment : segments) {
    contents.push_back(segment.content);
    lengths.push_back(segment.content.size(0));
  }
  const Tensor patches = at::cat(contents);
  comparison.close("in.packed_vit_tokens", patches);
  comparison.equal("in.vit_token_seqlens", lengths);
  const Tensor ids = at::tensor(grid_ids(segments, true, model.config.vit_max_patches_per_side), at::kLong);
  const Tensor features = vit_forward(*model.vit, model.config, patches.to(compute_options(model)), ids, lengths);
  const Tensor connected = connect(*model.vit, features);
  comparison.close("out.siglip", features);
  comparison.close("out.connector", connected);
  comparison.close("out.connector_plus_pos", connected + model.vit->pos_embed.index_select(0, ids));

  KvCache cache = make_cache(model);
  HiddenStates states;
  const PackOutput output = forward(model, segments, &cache, CacheUse::append, states.tap());
  compare_packing(comparison, fixture, "in.", model, segments, output.layout);
  const Streams inputs = embed(model, segments, output.layout);
  comparison.close("out.llm_input", in_token_order(output.layout, inputs.und, inputs.gen));
  states.compare(comparison, fixture, "out.", output);
  compare_prefilled(comparison, "out.", cache, segments, output);
  return comparison.result();
}

}  // namespace diptych
