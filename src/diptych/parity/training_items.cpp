// 09: one training pack with text and image losses, its gradients, and layouts with dropped segments.

#include "diptych/parity/gradients.h"
#include "diptych/parity/images.h"
#include "diptych/parity/items.h"
#include "diptych/parity/packing.h"
#include "diptych/parity/training_pack.h"

namespace diptych {

namespace {

bool is_dropped(SegmentKind kind, const std::string& what) {
  switch (kind) {
    case SegmentKind::text:
      return what == "text" || what == "all";
    case SegmentKind::vit_image:
      return what == "vit" || what == "all";
    case SegmentKind::clean_latent:
      return what == "vae" || what == "all";
    default:
      return false;
  }
}

// The segments that are left of the full plan; dropped images leave a gap of one position, dropped texts none.
void compare_dropped_layout(const Bagel& model, const Fixture& fixture, const std::string& what,
                            Comparison& comparison) {
  const SplitList plan = stored_splits(fixture, "none.");
  const std::vector<int64_t> ids = fixture.integers("none.packed_text_ids");
  const auto samples = static_cast<int64_t>(fixture.integers(what + ".sample_lens").size());
  std::vector<Segment> segments;
  std::vector<int64_t> kept_samples, gaps;
  int64_t gap = 0;
  int64_t text = 0;
  for (size_t i = 0; i < plan.kinds.size() && plan.samples[i] < samples; ++i) {
    if (i > 0 && plan.samples[i] != plan.samples[i - 1]) gap = 0;
    const SegmentKind kind = plan.kinds[i];
    const int64_t text_tokens = kind == SegmentKind::text ? plan.lengths[i] : 2;
    if (is_dropped(kind, what)) {
      gap += kind == SegmentKind::text ? 0 : 1;
    } else {
      Segment segment;
      segment.kind = kind;
      if (kind == SegmentKind::text) segment.tokens.assign(ids.begin() + text, ids.begin() + text + text_tokens);
      segment.grid_height = 1;
      segment.grid_width = plan.lengths[i] - 2;
      segments.push_back(segment);
      kept_samples.push_back(plan.samples[i]);
      gaps.push_back(gap);
      gap = 0;
    }
    text += text_tokens;
  }
  chain_segments(kept_samples, gaps, segments);
  compare_training_layout(comparison, fixture, what + ".", model, segments, kept_samples);
}

}  // namespace

ItemResult training_item(const ParityCase& parity) {
  const Fixture fixture(parity.folder / "09_train.safetensors");
  Comparison comparison(parity.item, fixture);
  const Bagel& model = parity.model();
  comparison.close("in.padded_latent", encode_stored(model, fixture.at("in.padded_images"), fixture.at("in.vae_eps")));
  const TrainingPack pack = training_pack(model, fixture);
  compare_training_layout(comparison, fixture, "in.", model, pack.segments, pack.samples);
  comparison.close("out.timesteps_after_shift", pack.times);

  const TrainableScope trainable(parity.loaded->model);
  HiddenStates states;
  const PackOutput output = forward(model, pack.segments, nullptr, CacheUse::append, states.tap());
  comparison.equal("out.attention_mask", visibility(output.layout));
  states.compare(comparison, fixture, "out.", output);
  const TrainingLoss loss = training_loss(model, fixture, pack, output);
  const Tensor& weights = fixture.at("in.ce_loss_weights");
  const Tensor reweighted = (loss.token_losses * weights).sum() / weights.sum();
  comparison.close("out.ce_per_token", loss.token_losses);
  comparison.close("out.velocity_pred", loss.velocity);
  comparison.close("out.mse_per_element", loss.squared_errors);
  comparison.close("out.ce", loss.ce);
  comparison.close("out.mse", loss.mse);
  comparison.close("out.loss", loss.ce + loss.mse);
  comparison.close("out.ce_reweighted", reweighted);
  comparison.close("out.loss_reweighted_ce", reweighted + loss.mse);
  (loss.ce + loss.mse).backward();
  comparison.close("out.grad_norm", gradient_norm(trainable.slots()), {.relative = kFloatTolerance});
  return comparison.result();
}

ItemResult training_gradient_item(const ParityCase& parity) {
  const Fixture inputs(parity.folder / "09_train.safetensors");
  const Fixture fixture(parity.folder / "09_train_grads.safetensors");
  Comparison comparison(parity.item, fixture);
  const TrainableScope trainable(parity.loaded->model);
  const TrainingPack pack = training_pack(parity.model(), inputs);
  const PackOutput output = forward(parity.model(), pack.segments);
  const TrainingLoss loss = training_loss(parity.model(), inputs, pack, output);
  (loss.ce + loss.mse).backward();
  comparison.gradients(trainable.slots());
  return comparison.result();
}

ItemResult dropout_layout_item(const ParityCase& parity) {
  const Fixture fixture(parity.folder / "09_dropout_layouts.safetensors");
  Comparison comparison(parity.item, fixture);
  for (const std::string& what : fixture.names("", ".split_lens"))
    compare_dropped_layout(parity.model(), fixture, what, comparison);
  return comparison.result();
}

}  // namespace diptych
