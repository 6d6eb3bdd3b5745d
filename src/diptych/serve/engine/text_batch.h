#pragma once
// Continuous batching: one pass reads what all texts under way have pending, and samples their next tokens.

#include "diptych/serve/engine/request.h"
#include "diptych/serve/engine/text_assembler.h"

namespace diptych {

/** A text under way. Its passes read `pending` behind `context`, a prompt in parts; the one that reads the last of it
 *  samples a token for each choice, and the choices part there. */
struct Sequence {
  std::shared_ptr<Request> request;
  std::vector<int64_t> choices;
  CachedContext context;
  std::vector<int64_t> pending;
  int64_t part = 0;             // how many of them the next pass reads
  bool reading = true;          // they are those of a prompt
  bool closing = false;         // it reads what is pending and samples nothing
  ContextRead* read = nullptr;  // closing: what the context is for; null: an image follows
  int64_t sampled = 0;          // tokens
  TextAssembler text;
  std::string thinking;  // where an image follows
};

/** The bytes of every token of the vocabulary; none for ids without a token. */
std::vector<std::string> token_bytes_table(const Tokenizer& tokenizer, int64_t vocabulary);

/** One pass over all sequences, each of which reads its part, of at least 1. Tokens go to the mailboxes; texts that end
 *  leave the list; those that were closing and have nothing pending any more move to `closed`. A text does not depend
 * on the others: its draws are addressed by (seed, choice, token), as those of sample_texts. The cache must have room
 * for the parts. */
void write_step(const Bagel& model, const std::vector<std::string>& token_bytes, KvCache& cache,
                std::vector<Sequence>& sequences, std::vector<Sequence>& closed, EngineCounters& counters);

}  // namespace diptych
