#pragma once
// Contexts in the cache: what a sampled segment will see.

#include "diptych/model/bagel.h"
#include "diptych/text/tokenizer.h"

namespace diptych {

/** Rows of the cache in the order of their tokens, and the RoPE id of what comes next. Empty: the unconditional
 * context. Copies share rows, so a group shares its prompt. */
struct CachedContext {
  std::vector<int64_t> rows;
  int64_t position = 0;
};

/** Ids of a text segment: im_start, the text, im_end (bagel.md 4: no roles, no template). */
std::vector<int64_t> text_ids(const Tokenizer& tokenizer, std::string_view text);

/** Ids of the text in front of a sampled thought or image: the system prompt (if not empty) and the prompt, each a text
 *  segment of its own. As both are causal with consecutive positions, one run of ids is the same as two segments. */
std::vector<int64_t> prompt_ids(const Tokenizer& tokenizer, std::string_view system_prompt, std::string_view prompt);

/** Prefills texts behind their contexts in one pack; contexts advance. texts.size() == contexts.size(). */
void prefill_texts(const Bagel& model, KvCache& cache, const std::vector<std::vector<int64_t>>& texts,
                   std::vector<CachedContext>& contexts);

}  // namespace diptych
