#include "diptych/train/supervised_pack.h"

#include <map>

#include "diptych/io/resize.h"
#include "diptych/model/text_head.h"
#include "diptych/rollout/context.h"
#include "diptych/tensor/image_tensor.h"
#include "diptych/tensor/random.h"

namespace diptych {

namespace {

Image resized(const Image& image, const ImageTransformConfig& transform) {
  const ResizeRule rule{transform.max_long, transform.min_short, transform.stride};
  const auto [width, height] = resized_size(image.width, image.height, rule);
  return width == image.width && height == image.height ? image : resize_bicubic(image, width, height);
}

// Latents [z, h, w]. Images of one size are encoded together; a latent does not depend on its batch.
std::vector<Tensor> encode_images(const Bagel& model, const std::vector<Image>& images,
                                  const std::vector<StreamKey>& keys) {
  at::NoGradGuard no_grad;
  std::map<std::pair<int, int>, std::vector<size_t>> sizes;
  for (size_t i = 0; i < images.size(); ++i) sizes[{images[i].height, images[i].width}].push_back(i);
  std::vector<Tensor> encoded(images.size());
  for (const auto& [size, members] : sizes) {
    std::vector<Tensor> pixels;
    std::vector<Tensor> eps;
    const AutoencoderConfig& vae = model.config.vae;
    for (size_t i : members) {
      pixels.push_back(image_to_tensor(images[i]));
      eps.push_back(
          normal_tensor(keys[i], {vae.z_channels, size.first / vae.downsample, size.second / vae.downsample}));
    }
    const Tensor latents = encode(model.autoencoder, at::stack(pixels), at::stack(eps));
    for (size_t k = 0; k < members.size(); ++k) encoded[members[k]] = latents[k];
  }
  return encoded;
}

// Adds segments of one example, each behind the one before.
class ExamplePacker {
 public:
  ExamplePacker(const Bagel& model, SupervisedPack& pack) : model_(model), pack_(pack) {}

  int64_t add(Segment segment) {
    segment.parent = parent_;
    segment.position = position_;
    position_ = next_position(segment);
    parent_ = static_cast<int64_t>(pack_.segments.size());
    pack_.segments.push_back(std::move(segment));
    return parent_;
  }

  int64_t add_latent(SegmentKind kind, const Tensor& latent, double time) {
    const int64_t patch = model_.config.latent_patch;
    Segment segment =
        image_segment(kind, patchify_latent(latent, patch), latent.size(1) / patch, latent.size(2) / patch, -1, 0);
    segment.time = time;
    return add(std::move(segment));
  }

  void add_vit(const Image& image) {
    const Image scaled = resized(image, model_.config.vit_transform);
    const int64_t patch = model_.config.vit.patch;
    add(image_segment(SegmentKind::vit_image, patchify_rgb(image_to_tensor(scaled), patch), scaled.height / patch,
                      scaled.width / patch, -1, 0));
  }

 private:
  const Bagel& model_;
  SupervisedPack& pack_;
  int64_t parent_ = -1;
  int64_t position_ = 0;
};

double flow_time(const StreamKey& address, double shift) {
  StreamKey key = address;
  key.purpose = Purpose::flow_time;
  const double uniform = 1.0 / (1.0 + std::exp(-Stream(key).normal()));
  return shift * uniform / (1.0 + (shift - 1.0) * uniform);
}

void add_thought(const Tokenizer& tokenizer, const std::string& thought, ExamplePacker& packer, SupervisedPack& pack) {
  std::vector<int64_t> ids = text_ids(tokenizer, thought);
  std::vector<int64_t> labels(ids.begin() + 1, ids.end());
  const int64_t segment = packer.add(text_segment(std::move(ids), -1, 0));
  pack.text_targets.emplace_back(segment, std::move(labels));
}

void add_target(const Tensor& latent, const StreamKey& address, const SupervisedOptions& options, int64_t patch,
                ExamplePacker& packer, SupervisedPack& pack) {
  StreamKey key = address;
  key.purpose = Purpose::flow_noise;
  const Tensor noise = normal_tensor(key, latent.sizes());
  const double time = flow_time(address, options.timestep_shift);
  const int64_t segment = packer.add_latent(SegmentKind::noisy_latent, latent * (1 - time) + noise * time, time);
  pack.flow_targets.emplace_back(segment, patchify_latent(noise - latent, patch));
}

}  // namespace

SupervisedPack make_supervised_pack(const Bagel& model, const Tokenizer& tokenizer,
                                    const std::vector<SupervisedExample>& examples, const SupervisedOptions& options,
                                    uint64_t seed, uint64_t step) {
  std::vector<Image> images;
  std::vector<StreamKey> keys;
  for (size_t i = 0; i < examples.size(); ++i) {
    std::vector<Image> own = examples[i].sources;
    if (examples[i].image) own.push_back(*examples[i].image);
    for (size_t k = 0; k < own.size(); ++k) {
      images.push_back(resized(own[k], model.config.vae_transform));
      keys.push_back({.seed = seed, .purpose = Purpose::posterior, .step = step, .sample = i, .position = k});
    }
  }
  const std::vector<Tensor> encoded = encode_images(model, images, keys);

  SupervisedPack pack;
  size_t next_image = 0;
  for (size_t i = 0; i < examples.size(); ++i) {
    const SupervisedExample& example = examples[i];
    const StreamKey address{.seed = seed, .purpose = Purpose::dropout, .step = step, .sample = i};
    ExamplePacker packer(model, pack);
    for (size_t k = 0; k < example.sources.size(); ++k) {
      packer.add_latent(SegmentKind::clean_latent, encoded[next_image], 0);
      if (model.vit) packer.add_vit(images[next_image]);
      ++next_image;
    }
    const bool dropped = example.image && Stream(address).uniform() < options.text_dropout;
    if (!dropped) {
      packer.add(text_segment(
          prompt_ids(tokenizer, example.thinking ? options.system_prompt : std::string(), example.prompt), -1, 0));
      if (example.thinking) add_thought(tokenizer, *example.thinking, packer, pack);
    }
    if (example.image) add_target(encoded[next_image++], address, options, model.config.latent_patch, packer, pack);
  }
  return pack;
}

SupervisedLoss supervised_loss(const Bagel& model, const SupervisedPack& pack, double cross_entropy_weight,
                               double flow_weight) {
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
    const Tensor hidden = output.und.index_select(0, at::tensor(rows, at::kLong).to(device));
    const Tensor entropy = -token_logprobs(hidden, model.lm_head, at::tensor(labels, at::kLong).to(device)).mean();
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
    const Tensor chosen = output.latent.index_select(0, at::tensor(rows, at::kLong).to(output.latent.device()));
    const Tensor predicted = velocity(model, chosen);
    const Tensor error = (predicted - at::cat(targets).to(predicted.options())).square().mean();
    loss.total = loss.total + flow_weight * error;
    loss.flow = error.item<double>();
  }
  return loss;
}

}  // namespace diptych
