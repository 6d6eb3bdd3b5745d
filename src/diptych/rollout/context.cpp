#include "diptych/rollout/context.h"

#include <algorithm>

#include <map>

#include "diptych/model/bagel/image_input.h"
#include "diptych/tensor/image_tensor.h"
#include "diptych/tensor/random.h"

namespace diptych {

namespace {

std::vector<int64_t> between_markers(const Tokenizer& tokenizer, std::vector<int64_t> ids) {
  ids.insert(ids.begin(), tokenizer.im_start());
  ids.push_back(tokenizer.im_end());
  return ids;
}

}  // namespace

std::vector<int64_t> text_ids(const Tokenizer& tokenizer, std::string_view text) {
  return between_markers(tokenizer, tokenizer.encode(text));
}

std::vector<int64_t> plain_text_ids(const Tokenizer& tokenizer, std::string_view text) {
  return between_markers(tokenizer, tokenizer.encode_plain_text(text));
}

void append_segment(SegmentChain& chain, Segment segment) {
  segment.parent = static_cast<int64_t>(chain.size()) - 1;
  segment.position = chain.empty() ? 0 : next_position(chain.back());
  chain.push_back(std::move(segment));
}

void append_text(SegmentChain& chain, const std::vector<int64_t>& ids) {
  if (!chain.empty() && chain.back().kind == SegmentKind::text)
    chain.back().tokens.insert(chain.back().tokens.end(), ids.begin(), ids.end());
  else
    append_segment(chain, text_segment(ids, -1, 0));
}

namespace {

// Of a batch in the encoder, whose maps of one image of 1024 x 1024 pixels take 1.5 GB.
constexpr size_t kPixelsEncodedAtOnce = size_t{2} << 20;

}  // namespace

std::vector<SegmentChain> text_chains(const std::vector<std::vector<int64_t>>& texts) {
  std::vector<SegmentChain> chains;
  for (const std::vector<int64_t>& ids : texts) chains.push_back({text_segment(ids, -1, 0)});
  return chains;
}

std::vector<EncodedImage> encode_images(const Bagel& model, const std::vector<Image>& images,
                                        std::vector<StreamKey> keys) {
  at::NoGradGuard no_grad;
  std::vector<EncodedImage> encoded(images.size());
  std::map<std::pair<int, int>, std::vector<size_t>> sizes;
  for (size_t i = 0; i < images.size(); ++i) {
    encoded[i].pixels = resized(images[i], model.config.vae_transform);
    sizes[{encoded[i].pixels.height, encoded[i].pixels.width}].push_back(i);
  }
  const AutoencoderConfig& vae = model.config.vae;
  const at::TensorOptions options = model.autoencoder.encoder.conv_in.weight.options();
  for (const auto& [size, members] : sizes) {
    const size_t batch = std::max<size_t>(1, kPixelsEncodedAtOnce / static_cast<size_t>(size.first * size.second));
    for (size_t begin = 0; begin < members.size(); begin += batch) {
      const size_t end = std::min(members.size(), begin + batch);
      std::vector<Tensor> pixels;
      std::vector<Tensor> eps;
      for (size_t k = begin; k < end; ++k) {
        const size_t i = members[k];
        keys[i].purpose = Purpose::posterior;
        pixels.push_back(image_to_tensor(encoded[i].pixels));
        eps.push_back(
            normal_tensor(keys[i], {vae.z_channels, size.first / vae.downsample, size.second / vae.downsample}));
      }
      const Tensor latents = encode(model.autoencoder, at::stack(pixels).to(options), at::stack(eps).to(options));
      for (size_t k = begin; k < end; ++k) encoded[members[k]].latent = latents[static_cast<int64_t>(k - begin)];
    }
  }
  return encoded;
}

void append_image(SegmentChain& chain, const Bagel& model, const EncodedImage& image) {
  const int64_t patch = model.config.latent_patch;
  append_segment(chain, image_segment(SegmentKind::clean_latent, patchify_latent(image.latent, patch),
                                      image.latent.size(1) / patch, image.latent.size(2) / patch, -1, 0));
  if (model.vit)
    append_segment(chain, vit_segment(model, image_to_tensor(resized(image.pixels, model.config.vit_transform))));
}

SegmentChain context_segments(const Bagel& model, const Tokenizer& tokenizer, const std::vector<ContextPart>& parts,
                              const StreamKey& key) {
  std::vector<Image> images;
  std::vector<StreamKey> keys;
  for (const ContextPart& part : parts) {
    if (!part.image) continue;
    keys.push_back(key);
    keys.back().position += images.size();
    images.push_back(*part.image);
  }
  const std::vector<EncodedImage> encoded = encode_images(model, images, keys);
  SegmentChain chain;
  size_t next_image = 0;
  for (const ContextPart& part : parts) {
    if (part.image)
      append_image(chain, model, encoded[next_image++]);
    else
      append_text(chain, text_ids(tokenizer, part.text));
  }
  return chain;
}

void prefill(const Bagel& model, KvCache& cache, const std::vector<SegmentChain>& chains,
             std::vector<CachedContext>& contexts) {
  at::NoGradGuard no_grad;
  std::vector<Segment> segments;
  std::vector<size_t> owners;
  for (size_t c = 0; c < chains.size(); ++c) {
    const auto first = static_cast<int64_t>(segments.size());
    for (const Segment& segment : chains[c]) {
      segments.push_back(segment);
      Segment& moved = segments.back();
      moved.position += contexts[c].position;
      if (moved.parent < 0)
        moved.cached = contexts[c].rows;
      else
        moved.parent += first;
      owners.push_back(c);
    }
    if (!chains[c].empty()) contexts[c].position += next_position(chains[c].back());
  }
  if (segments.empty()) return;
  const PackOutput output = forward(model, segments, &cache);
  for (size_t s = 0; s < segments.size(); ++s)
    for (int64_t row : cache_rows(output, s)) contexts[owners[s]].rows.push_back(row);
}

}  // namespace diptych
