// 05: clean image blocks, alone and packed.

#include "diptych/parity/images.h"
#include "diptych/parity/items.h"
#include "diptych/parity/packing.h"

namespace diptych {

namespace {

void compare_pack(const Bagel& model, const Fixture& fixture, const std::string& pack, Comparison& comparison) {
  const std::string in = "in." + pack + ".";
  const std::string out = "out." + pack + ".";
  // The official packing encodes images of different sizes on one zero-padded canvas, and so does this item.
  const Tensor canvas = encode_stored(model, fixture.at(in + "padded_images"), fixture.at(in + "eps"));
  comparison.close(out + "padded_latent", canvas);

  const std::vector<int64_t> grids = fixture.integers(in + "patchified_vae_latent_shapes");
  std::vector<Segment> segments;
  for (int64_t i = 0; i < canvas.size(0); ++i) {
    const int64_t rows = grids.at(2 * i), columns = grids.at(2 * i + 1);
    segments.push_back(image_segment(SegmentKind::clean_latent, cropped_tokens(model, canvas, i, rows, columns), rows,
                                     columns, -1, 0));
  }
  KvCache cache = make_cache(model);
  HiddenStates states;
  const PackOutput output = forward(model, segments, &cache, CacheUse::append, states.tap());
  compare_packing(comparison, fixture, in, model, segments, output.layout);
  const Streams inputs = embed(model, segments, output.layout);
  comparison.close(out + "llm_input", in_token_order(output.layout, inputs.und, inputs.gen));
  states.compare(comparison, fixture, out, output);
  compare_prefilled(comparison, out, cache, segments, output);
}

}  // namespace

ItemResult clean_latent_item(const ParityCase& parity) {
  at::NoGradGuard no_grad;
  const Fixture fixture(parity.folder / "05_vae_image_prefill.safetensors");
  Comparison comparison(parity.item, fixture);
  for (const std::string& pack : fixture.names("in.", ".padded_images"))
    compare_pack(parity.model(), fixture, pack, comparison);
  return comparison.result();
}

}  // namespace diptych
