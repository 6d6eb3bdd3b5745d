#pragma once
// What the engine is asked to do: read a context, then write texts, paint images, or both.

#include "diptych/tensor/torch.h"

#include "diptych/flow/guidance.h"
#include "diptych/rollout/context.h"
#include "diptych/rollout/text_sampler.h"

namespace diptych {

/** Blocks that an image of a context becomes. BAGEL reads the ViT block alone to answer questions, and the latent block
 *  followed by the ViT block to edit (bagel.md 8.2). */
enum class ImageContext { both, vit, latent };

/** Texts to sample behind the context. */
struct TextStage {
  TextSampling sampling;
  bool logprobs = false;
  int64_t top_logprobs = 0;        // alternatives listed per token
  std::vector<std::string> stops;  // a text ends in front of the first of these
};

/** Images to paint behind the context and the text, if there is one. */
struct PaintStage {
  int64_t grid_height = 0;  // latent tokens
  int64_t grid_width = 0;
  std::vector<double> times;  // flow times from 1 to 0; one Euler step between each two
  Guidance guidance;
};

struct Job {
  std::vector<ContextPart> context;  // with `paint`, the last part is the prompt that guidance drops
  ImageContext image_context = ImageContext::both;
  std::optional<TextStage> text;  // with `paint`: the thinking
  std::optional<PaintStage> paint;
  int64_t count = 1;  // texts or images
  uint64_t seed = 0;  // with the number of the text or image, the address of its draws
};

}  // namespace diptych
