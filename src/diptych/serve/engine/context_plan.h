#pragma once
// A context split into what other requests may share, up to its last image, and the texts behind.

#include "diptych/serve/engine/job.h"

namespace diptych {

/** Texts and the image behind them. */
struct PrefixPiece {
  std::vector<int64_t> text;  // ids in front of the image
  size_t image = 0;           // which part of the context
  int64_t rows = 0;           // tokens of the piece
  std::string key;            // hash of all parts up to the image
};

struct ContextPlan {
  std::vector<PrefixPiece> prefix;
  std::vector<int64_t> tail;  // ids of the texts behind the last image
  int64_t last_text = 0;      // how many of them are those of the last part
  int64_t rows = 0;           // tokens of prefix and tail
};

/** Texts are those of strangers: special tokens in them are plain text. Safe to call from any thread. */
ContextPlan plan_context(const ModelConfig& config, const Tokenizer& tokenizer, const std::vector<ContextPart>& parts,
                         ImageContext image_context);

/** Whether guidance needs contexts beside the whole one: the two that follow. */
bool uses_dropped_contexts(const Job& job);

/** The ids of the context without the prompt: what precedes it (bagel.md 8.1). Behind an image the context is that of
 *  the prefix. */
std::vector<int64_t> text_dropped_ids(const ContextPlan& plan);

/** The ids of the context without the images: all texts (bagel.md 8.1); none where guidance drops no images. */
std::vector<int64_t> image_dropped_ids(const Job& job, const ContextPlan& plan);

/** Cache rows of a request behind its prefix, without what it samples. */
int64_t rows_of_prompt(const Job& job, const ContextPlan& plan);

/** Segments of the pieces' images, the first of each at position 0. The posterior noise of an image depends on nothing
 *  but the size, so that equal images are equal contexts. All are encoded together. */
std::vector<std::vector<Segment>> image_segments(const Bagel& model,
                                                 const std::vector<std::pair<const Job*, const PrefixPiece*>>& pieces);

}  // namespace diptych
