#include "diptych/parity/training_pack.h"

#include <cmath>
#include <set>

#include "diptych/base/error.h"
#include "diptych/model/bagel/text_head.h"
#include "diptych/parity/images.h"
#include "diptych/parity/packing.h"

namespace diptych {

namespace {

enum AttentionMode : int64_t { kCausal = 0, kFull = 1, kNoise = 2 };

// Official time of a stored number: sigmoid, then the shift of the model folder.
double shifted_time(double number, double shift) {
  const double t = 1 / (1 + std::exp(-number));
  return shift * t / (1 + (shift - 1) * t);
}

// Hands out the rows of the stored contents in pack order.
class StoredContents {
 public:
  StoredContents(const Bagel& model, const Fixture& fixture) : model_(model), fixture_(fixture) {}

  Segment text(int64_t length) {
    Segment segment;
    const std::vector<int64_t> ids = fixture_.integers("in.packed_text_ids");
    segment.tokens.assign(ids.begin() + text_, ids.begin() + text_ + length);
    text_ += length;
    return segment;
  }

  Segment vit(int64_t patches) {
    text_ += 2;
    const std::vector<int64_t> ids = fixture_.integers("in.packed_vit_position_ids");
    int64_t width = 0;
    for (int64_t k = 0; k < patches; ++k)
      width = std::max(width, ids.at(vit_ + k) % model_.config.vit_max_patches_per_side + 1);
    Tensor content = fixture_.at("in.packed_vit_tokens").narrow(0, vit_, patches);
    vit_ += patches;
    return image_segment(SegmentKind::vit_image, content, patches / width, width, -1, 0);
  }

  // Clean or noisy, as its time says; noise and clean latent of the image are appended to `targets`.
  Segment latent(SegmentKind kind, std::vector<double>& times, std::vector<Tensor>& targets) {
    text_ += 2;
    const std::vector<int64_t> shapes = fixture_.integers("in.patchified_vae_latent_shapes");
    const int64_t rows = shapes.at(2 * image_), columns = shapes.at(2 * image_ + 1);
    const Tensor clean = cropped_tokens(model_, fixture_.at("in.padded_latent"), image_, rows, columns);
    const Tensor noise = fixture_.at("in.noise").narrow(0, latent_, rows * columns);
    const double time = shifted_time(fixture_.numbers("in.packed_timesteps").at(latent_), model_.config.timestep_shift);
    ++image_;
    latent_ += rows * columns;
    times.insert(times.end(), rows * columns, time);
    if (kind == SegmentKind::clean_latent) return image_segment(kind, clean, rows, columns, -1, 0);
    targets.push_back(noise - clean);
    return noisy_segment((1 - time) * clean + time * noise, rows, columns, time, -1, 0);
  }

 private:
  const Bagel& model_;
  const Fixture& fixture_;
  int64_t text_ = 0;
  int64_t vit_ = 0;
  int64_t latent_ = 0;
  int64_t image_ = 0;
};

}  // namespace

SplitList stored_splits(const Fixture& fixture, const std::string& prefix) {
  SplitList splits;
  splits.lengths = fixture.integers(prefix + "split_lens");
  const std::vector<int64_t> modes = fixture.integers(prefix + "attn_modes");
  const std::vector<int64_t> sample_lengths = fixture.integers(prefix + "sample_lens");
  const std::vector<int64_t> vit = fixture.integers(prefix + "packed_vit_token_indexes");
  const std::set<int64_t> vit_places(vit.begin(), vit.end());
  int64_t begin = 0;
  int64_t sample = 0;
  int64_t sample_end = sample_lengths.at(0);
  for (size_t i = 0; i < splits.lengths.size(); ++i) {
    if (begin >= sample_end) sample_end += sample_lengths.at(++sample);
    const bool is_vit = vit_places.contains(begin + 1);
    splits.kinds.push_back(modes.at(i) == kCausal  ? SegmentKind::text
                           : modes.at(i) == kNoise ? SegmentKind::noisy_latent
                           : is_vit                ? SegmentKind::vit_image
                                                   : SegmentKind::clean_latent);
    splits.samples.push_back(sample);
    begin += splits.lengths[i];
  }
  return splits;
}

void chain_segments(const std::vector<int64_t>& samples, const std::vector<int64_t>& position_steps,
                    std::vector<Segment>& segments) {
  int64_t visible = -1;
  int64_t position = 0;
  for (size_t i = 0; i < segments.size(); ++i) {
    if (i == 0 || samples[i] != samples[i - 1]) {
      visible = -1;
      position = 0;
    }
    segments[i].parent = visible;
    segments[i].position = position + position_steps[i];
    position = next_position(segments[i]);
    if (segments[i].kind != SegmentKind::noisy_latent) visible = static_cast<int64_t>(i);
  }
}

TrainingPack training_pack(const Bagel& model, const Fixture& fixture) {
  const SplitList splits = stored_splits(fixture, "in.");
  StoredContents contents(model, fixture);
  TrainingPack pack;
  pack.samples = splits.samples;
  std::vector<double> times;
  std::vector<Tensor> targets;
  for (size_t i = 0; i < splits.kinds.size(); ++i) {
    const SegmentKind kind = splits.kinds[i];
    pack.segments.push_back(kind == SegmentKind::text        ? contents.text(splits.lengths[i])
                            : kind == SegmentKind::vit_image ? contents.vit(splits.lengths[i] - 2)
                                                             : contents.latent(kind, times, targets));
  }
  chain_segments(pack.samples, std::vector<int64_t>(pack.segments.size(), 0), pack.segments);
  pack.times = at::tensor(times, at::kDouble);
  pack.target = at::cat(targets);
  return pack;
}

void compare_training_layout(Comparison& comparison, const Fixture& fixture, const std::string& prefix,
                             const Bagel& model, const std::vector<Segment>& segments,
                             const std::vector<int64_t>& samples) {
  const PackLayout layout =
      lay_out(segments, model.special.vision_start, model.special.vision_end, -1, model.embed_tokens.device());
  const TokenPlaces places = token_places(segments);
  const std::vector<int64_t> lengths = token_counts(segments);
  std::vector<int64_t> sample_lengths(samples.empty() ? 0 : samples.back() + 1);
  std::vector<int64_t> noisy_places;
  int64_t begin = 0;
  for (size_t i = 0; i < segments.size(); ++i) {
    sample_lengths[samples[i]] += lengths[i];
    if (segments[i].kind == SegmentKind::noisy_latent)
      for (int64_t k = 1; k + 1 < lengths[i]; ++k) noisy_places.push_back(begin + k);
    begin += lengths[i];
  }
  comparison.equal(prefix + "packed_text_ids", layout.token_ids);
  comparison.equal(prefix + "packed_position_ids", layout.positions.cpu().index_select(0, token_order(layout)));
  comparison.equal(prefix + "packed_text_indexes", places.text);
  comparison.equal(prefix + "packed_vit_token_indexes", places.vit);
  comparison.equal(prefix + "packed_vae_token_indexes", places.latent);
  comparison.equal(prefix + "mse_loss_indexes", noisy_places);
  comparison.equal(prefix + "split_lens", lengths);
  comparison.equal(prefix + "sample_lens", sample_lengths);
  if (fixture.has(prefix + "packed_latent_position_ids"))
    comparison.equal(prefix + "packed_latent_position_ids", grid_ids(segments, false, model.config.max_latent_size));
  if (fixture.has(prefix + "packed_vit_position_ids"))
    comparison.equal(prefix + "packed_vit_position_ids",
                     grid_ids(segments, true, model.config.vit_max_patches_per_side));
}

Tensor visibility(const PackLayout& layout) {
  const int64_t total = layout.total_rows();
  const Tensor order = token_order(layout);
  const Tensor place_of_row = order.argsort();
  Tensor seen = at::zeros({total, total}, at::kBool);
  auto cells = seen.accessor<bool, 2>();
  const Tensor places = place_of_row.to(at::kCPU).contiguous();
  const int64_t* place = places.const_data_ptr<int64_t>();
  for (const QueryBlock& block : layout.blocks->list) {
    for (size_t q = 0; q < block.queries.size(); ++q) {
      const size_t hidden = block.causal ? block.queries.size() - 1 - q : 0;
      for (size_t k = 0; k + hidden < block.keys.size(); ++k)
        cells[place[block.queries[q]]][place[block.keys[k] % total]] = true;
    }
  }
  return seen;
}

TrainingLoss training_loss(const Bagel& model, const Fixture& fixture, const TrainingPack& pack,
                           const PackOutput& output) {
  TrainingLoss loss;
  const Tensor hidden = in_token_order(output.layout, output.und, output.latent);
  loss.token_losses = token_logprobs(hidden.index_select(0, fixture.at("in.ce_loss_indexes")), model.lm_head,
                                     fixture.at("in.packed_label_ids"))
                          .neg();
  loss.velocity = velocity(model, hidden.index_select(0, fixture.at("in.mse_loss_indexes")));
  loss.squared_errors = (loss.velocity - pack.target).square();
  loss.ce = loss.token_losses.mean();
  loss.mse = loss.squared_errors.mean(1).mean();
  return loss;
}

}  // namespace diptych
