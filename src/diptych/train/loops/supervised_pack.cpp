#include "diptych/train/loops/supervised_pack.h"

#include "diptych/model/bagel/text_head.h"
#include "diptych/rollout/context.h"
#include "diptych/tensor/device.h"
#include "diptych/tensor/image_tensor.h"
#include "diptych/tensor/random.h"

namespace diptych {

namespace {

double flow_time(const StreamKey& address, double shift) {
  StreamKey key = address;
  key.purpose = Purpose::flow_time;
  const double uniform = 1.0 / (1.0 + std::exp(-Stream(key).normal()));
  return shift * uniform / (1.0 + (shift - 1.0) * uniform);
}

struct Target {
  size_t segment = 0;  // in the chain of its example
  Tensor velocity;     // [tokens, channels]
};

// The image to learn at a random flow time, behind the chain.
Target append_target(std::vector<Segment>& chain, const Tensor& latent, const StreamKey& address, double shift,
                     int64_t patch) {
  StreamKey key = address;
  key.purpose = Purpose::flow_noise;
  const Tensor noise = normal_tensor(key, latent.sizes()).to(latent.options());
  const double time = flow_time(address, shift);
  append_segment(chain, noisy_segment(patchify_latent(latent * (1 - time) + noise * time, patch),
                                      latent.size(1) / patch, latent.size(2) / patch, time, -1, 0));
  return {chain.size() - 1, patchify_latent(noise - latent, patch)};
}

// Moves the chain of one example into the pack; returns the number of its first segment there.
int64_t add_chain(std::vector<Segment> chain, SupervisedPack& pack) {
  const auto first = static_cast<int64_t>(pack.segments.size());
  for (Segment& segment : chain) {
    if (segment.parent >= 0) segment.parent += first;
    pack.segments.push_back(std::move(segment));
  }
  return first;
}

// Images of all examples in order: sources, then the target.
std::vector<EncodedImage> encode_examples(const Bagel& model, const std::vector<SupervisedExample>& examples,
                                          uint64_t seed, uint64_t step, uint64_t first) {
  std::vector<Image> images;
  std::vector<StreamKey> keys;
  for (size_t i = 0; i < examples.size(); ++i) {
    std::vector<Image> own = examples[i].sources;
    if (examples[i].image) own.push_back(*examples[i].image);
    for (size_t k = 0; k < own.size(); ++k) {
      images.push_back(own[k]);
      keys.push_back({.seed = seed, .purpose = Purpose::posterior, .step = step, .sample = first + i, .position = k});
    }
  }
  return encode_images(model, images, std::move(keys));
}

}  // namespace

SupervisedPack make_supervised_pack(const Bagel& model, const Tokenizer& tokenizer,
                                    const std::vector<SupervisedExample>& examples, const SupervisedOptions& options,
                                    uint64_t seed, uint64_t step, uint64_t first) {
  const std::vector<EncodedImage> encoded = encode_examples(model, examples, seed, step, first);
  SupervisedPack pack;
  size_t next_image = 0;
  for (size_t i = 0; i < examples.size(); ++i) {
    const SupervisedExample& example = examples[i];
    const StreamKey address{.seed = seed, .purpose = Purpose::dropout, .step = step, .sample = first + i};
    const bool with_text = !example.image || Stream(address).uniform() >= options.text_dropout;
    std::vector<Segment> chain;
    if (with_text && example.thinking && !options.system_prompt.empty())
      append_text(chain, text_ids(tokenizer, options.system_prompt));
    for (size_t k = 0; k < example.sources.size(); ++k) append_image(chain, model, encoded[next_image++]);
    if (with_text) append_text(chain, text_ids(tokenizer, example.prompt));
    size_t thought = 0;
    std::vector<int64_t> labels;
    if (with_text && example.thinking) {
      const std::vector<int64_t> ids = text_ids(tokenizer, *example.thinking);
      labels.assign(ids.begin() + 1, ids.end());
      thought = chain.size();
      append_segment(chain, text_segment(ids, -1, 0));
    }
    std::optional<Target> target;
    if (example.image)
      target = append_target(chain, encoded[next_image++].latent, address, options.timestep_shift,
                             model.config.latent_patch);
    const int64_t begin = add_chain(std::move(chain), pack);
    if (!labels.empty()) pack.text_targets.emplace_back(begin + static_cast<int64_t>(thought), std::move(labels));
    if (target) pack.flow_targets.emplace_back(begin + static_cast<int64_t>(target->segment), target->velocity);
  }
  return pack;
}

SupervisedTargets count_targets(const SupervisedPack& pack) {
  SupervisedTargets targets;
  for (const auto& [segment, labels] : pack.text_targets) targets.tokens += static_cast<int64_t>(labels.size());
  for (const auto& [segment, velocity] : pack.flow_targets) targets.elements += velocity.numel();
  return targets;
}

SupervisedLoss supervised_loss(const Bagel& model, const SupervisedPack& pack, double cross_entropy_weight,
                               double flow_weight, const SupervisedTargets& batch) {
  const PackOutput output = forward(model, pack.segments);
  SupervisedLoss loss;
  loss.total = at::zeros({}, at::TensorOptions().dtype(at::kFloat).device(output.und.device()));
  if (!pack.text_targets.empty()) {
    std::vector<int64_t> rows;
    std::vector<int64_t> labels;
    for (const auto& [segment, targets] : pack.text_targets) {
      const int64_t begin = output.layout.segments[segment].text_begin;
      for (size_t k = 0; k < targets.size(); ++k) rows.push_back(begin + static_cast<int64_t>(k));
      labels.insert(labels.end(), targets.begin(), targets.end());
    }
    const at::Device device = output.und.device();
    const Tensor hidden = output.und.index_select(0, index_on(rows, device));
    const Tensor entropy = -token_logprobs(hidden, model.lm_head, index_on(labels, device)).sum() / batch.tokens;
    loss.total = loss.total + cross_entropy_weight * entropy;
    loss.cross_entropy = entropy.item<double>();
  }
  if (!pack.flow_targets.empty()) {
    std::vector<int64_t> rows;
    std::vector<Tensor> targets;
    for (const auto& [segment, target] : pack.flow_targets) {
      const SegmentRows& place = output.layout.segments[segment];
      for (int64_t k = 0; k < place.content_count; ++k)
        rows.push_back(place.content_begin - output.layout.und_rows() + k);
      targets.push_back(target);
    }
    const Tensor chosen = output.latent.index_select(0, index_on(rows, output.latent.device()));
    const Tensor predicted = velocity(model, chosen);
    const Tensor error = (predicted - at::cat(targets).to(predicted.options())).square().sum() / batch.elements;
    loss.total = loss.total + flow_weight * error;
    loss.flow = error.item<double>();
  }
  return loss;
}

}  // namespace diptych
