#pragma once
// Contexts: what a sampled text or image is sampled behind, as segments and in the cache.

#include "diptych/base/rng.h"
#include "diptych/io/image/image.h"
#include "diptych/model/bagel/bagel.h"
#include "diptych/text/tokenizer.h"

namespace diptych {

/** One part of what a model is given: a text, or an image. */
struct ContextPart {
  std::string text;
  std::optional<Image> image;  // set: the part is an image and `text` is empty
};

/** Ids of a text segment: im_start, the text, im_end (bagel.md 4: no roles, no template). */
std::vector<int64_t> text_ids(const Tokenizer& tokenizer, std::string_view text);

/** The same of a text that a stranger wrote: special tokens in it are plain text. */
std::vector<int64_t> plain_text_ids(const Tokenizer& tokenizer, std::string_view text);

/** Puts a segment behind the last one of a chain: it continues its positions and sees all of it. */
void append_segment(SegmentChain& chain, Segment segment);

/** Puts text ids behind a chain. Consecutive texts become one segment: both are causal with consecutive positions, so
 *  that is the same as two. */
void append_text(SegmentChain& chain, const std::vector<int64_t>& ids);

/** Token ids as chains of one text segment each. */
std::vector<SegmentChain> text_chains(const std::vector<std::vector<int64_t>>& texts);

/** An image as the model takes it. */
struct EncodedImage {
  Tensor latent;  // [z, h, w] float32, normalised units; a draw from the posterior
  Image pixels;   // at the size of the autoencoder's transform
};

/** Resizes images by the model's rule and encodes them; keys[i] addresses the posterior noise of image i (its purpose
 *  is set here). A latent does not depend on the other images. */
std::vector<EncodedImage> encode_images(const Bagel& model, const std::vector<Image>& images,
                                        std::vector<StreamKey> keys);

/** Puts an image behind a chain: the clean latent block, then, where the model has a ViT, the ViT block (bagel.md 8.2).
 */
void append_image(SegmentChain& chain, const Bagel& model, const EncodedImage& image);

/** Segments of the parts in order. Image k of the parts draws its posterior noise at position key.position + k. */
SegmentChain context_segments(const Bagel& model, const Tokenizer& tokenizer, const std::vector<ContextPart>& parts,
                              const StreamKey& key);

/** Rows of the cache in the order of their tokens, and the RoPE id of what comes next. Empty: the unconditional
 * context. Copies share rows, so a group shares its prompt. */
struct CachedContext {
  std::vector<int64_t> rows;
  int64_t position = 0;
};

/** Prefills chains of segments behind their contexts in one pack, without gradient; contexts advance. Chains are as
 *  context_segments makes them, with positions from 0; they are moved behind their context here. chains.size() ==
 *  contexts.size(); an empty chain changes nothing. */
void prefill(const Bagel& model, KvCache& cache, const std::vector<SegmentChain>& chains,
             std::vector<CachedContext>& contexts);

}  // namespace diptych
