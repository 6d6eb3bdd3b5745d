#pragma once
// A context split into what other requests may share, up to its last image, and the texts behind.

#include "diptych/serve/job.h"

namespace diptych {

/** Parts [begin, end) of a context; the last of them is an image. */
struct PrefixPiece {
  size_t begin = 0;
  size_t end = 0;
  int64_t rows = 0;  // tokens of the piece
  std::string key;   // hash of all parts up to `end`
};

struct ContextPlan {
  std::vector<PrefixPiece> prefix;
  std::vector<int64_t> tail;  // ids of the texts behind the last image
  int64_t rows = 0;           // tokens of prefix and tail
};

/** Safe to call from any thread. */
ContextPlan plan_context(const ModelConfig& config, const Tokenizer& tokenizer, const std::vector<ContextPart>& parts,
                         ImageContext image_context);

/** Segments of a piece, the first at position 0. The posterior noise of its image depends on nothing but the size, so
 *  that equal images are equal contexts. Images of all pieces are encoded together. */
std::vector<std::vector<Segment>> piece_segments(const Bagel& model, const Tokenizer& tokenizer,
                                                 const std::vector<std::pair<const Job*, PrefixPiece>>& pieces);

}  // namespace diptych
