#pragma once
// Continuous batching: one pass reads what all texts under way have pending, and samples their next tokens.

#include "diptych/serve/request.h"
#include "diptych/serve/text_assembler.h"

namespace diptych {

/** A text under way. Its next pass reads `pending` behind `context` and samples a token for each choice; the choices
 *  part there. */
struct Sequence {
  std::shared_ptr<Request> request;
  std::vector<int64_t> choices;
  CachedContext context;
  std::vector<int64_t> pending;
  bool closing = false;  // it reads what is pending and samples nothing: an image follows
  int64_t sampled = 0;   // tokens
  TextAssembler text;
  std::string thinking;  // where an image follows
};

/** The bytes of every token of the vocabulary; none for ids without a token. */
std::vector<std::string> token_bytes_table(const Tokenizer& tokenizer, int64_t vocabulary);

/** One pass over all sequences, which must have pending ids. Tokens go to the mailboxes; texts that end leave the list;
 *  those that were closing move to `closed`. A text does not depend on the others: its draws are addressed by (seed,
 *  choice, token), as those of sample_texts. The cache must have room for the pending ids. */
void write_step(const Bagel& model, const std::vector<std::string>& token_bytes, KvCache& cache,
                std::vector<Sequence>& sequences, std::vector<Sequence>& closed, EngineCounters& counters);

}  // namespace diptych
