#include "diptych/serve/engine/context_plan.h"

#include <utility>

#include "diptych/base/text_format.h"
#include "diptych/io/files.h"
#include "diptych/io/image/resize.h"

namespace diptych {

namespace {

std::pair<int, int> size_after(int width, int height, const ImageTransformConfig& transform) {
  return resized_size(width, height, {transform.max_long, transform.min_short, transform.stride});
}

int64_t image_rows(const ModelConfig& config, const Image& image, ImageContext image_context) {
  const auto [width, height] = size_after(image.width, image.height, config.vae_transform);
  const int64_t unit = latent_token_pixels(config);
  const int64_t latent = (width / unit) * (height / unit) + 2;
  if (image_context == ImageContext::latent) return latent;
  const auto [vit_width, vit_height] = size_after(width, height, config.vit_transform);
  const int64_t vit = (vit_width / config.vit.patch) * (vit_height / config.vit.patch) + 2;
  return image_context == ImageContext::vit ? vit : latent + vit;
}

std::string part_hash(const ContextPart& part) {
  if (!part.image) return "text " + hash_bytes(part.text);
  const auto* pixels = reinterpret_cast<const char*>(part.image->pixels.data());
  return cat("image ", part.image->width, " x ", part.image->height, " ",
             hash_bytes({pixels, part.image->pixels.size()}));
}

void append_image_blocks(std::vector<Segment>& chain, const Bagel& model, const EncodedImage& image,
                         ImageContext image_context) {
  std::vector<Segment> blocks;
  append_image(blocks, model, image);
  for (Segment& block : blocks) {
    const bool is_vit = block.kind == SegmentKind::vit_image;
    if (image_context == ImageContext::both || is_vit == (image_context == ImageContext::vit))
      append_segment(chain, std::move(block));
  }
}

std::vector<int64_t> text_ids(const ContextPlan& plan) {
  std::vector<int64_t> ids;
  for (const PrefixPiece& piece : plan.prefix) ids.insert(ids.end(), piece.text.begin(), piece.text.end());
  ids.insert(ids.end(), plan.tail.begin(), plan.tail.end());
  return ids;
}

}  // namespace

ContextPlan plan_context(const ModelConfig& config, const Tokenizer& tokenizer, const std::vector<ContextPart>& parts,
                         ImageContext image_context) {
  ContextPlan plan;
  std::string key = cat("blocks ", static_cast<int>(image_context));
  for (size_t i = 0; i < parts.size(); ++i) {
    key = hash_bytes(key + "\n" + part_hash(parts[i]));
    if (!parts[i].image) {
      const std::vector<int64_t> ids = plain_text_ids(tokenizer, parts[i].text);
      plan.tail.insert(plan.tail.end(), ids.begin(), ids.end());
      plan.last_text = static_cast<int64_t>(ids.size());
      continue;
    }
    const int64_t rows = static_cast<int64_t>(plan.tail.size()) + image_rows(config, *parts[i].image, image_context);
    plan.prefix.push_back({std::exchange(plan.tail, {}), i, rows, key});
    plan.rows += rows;
    plan.last_text = 0;
  }
  plan.rows += static_cast<int64_t>(plan.tail.size());
  return plan;
}

bool uses_dropped_contexts(const Job& job) {
  return job.paint && job.paint->guidance.text_scale > 1;
}

std::vector<int64_t> text_dropped_ids(const ContextPlan& plan) {
  return {plan.tail.begin(), plan.tail.end() - plan.last_text};
}

std::vector<int64_t> image_dropped_ids(const Job& job, const ContextPlan& plan) {
  return job.paint->guidance.image_scale > 1 ? text_ids(plan) : std::vector<int64_t>();
}

int64_t rows_of_prompt(const Job& job, const ContextPlan& plan) {
  size_t rows = plan.tail.size();
  if (uses_dropped_contexts(job)) {
    rows += image_dropped_ids(job, plan).size();
    if (plan.prefix.empty()) rows += text_dropped_ids(plan).size();
  }
  return static_cast<int64_t>(rows);
}

std::vector<std::vector<Segment>> image_segments(const Bagel& model,
                                                 const std::vector<std::pair<const Job*, const PrefixPiece*>>& pieces) {
  std::vector<Image> images;
  for (const auto& [job, piece] : pieces) images.push_back(*job->context[piece->image].image);
  const std::vector<EncodedImage> encoded = encode_images(model, images, std::vector<StreamKey>(images.size()));
  std::vector<std::vector<Segment>> chains(pieces.size());
  for (size_t k = 0; k < pieces.size(); ++k)
    append_image_blocks(chains[k], model, encoded[k], pieces[k].first->image_context);
  return chains;
}

}  // namespace diptych
