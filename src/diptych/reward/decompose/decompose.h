#pragma once
// Decomposition of prompts into atomic questions by a language model (AlphaGRPO, arXiv 2605.12495): generate, validate,
// tag, quality. The record format is in data/question_file.h.

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "diptych/data/atomic_question.h"
#include "diptych/reward/decompose/decompose_cache.h"
#include "diptych/reward/decompose/decompose_prompts.h"

namespace diptych {

struct DecomposeConfig {
  int attempts = 5;          // a prompt is dropped when this many were in vain
  int prompts_at_once = 64;  // that are asked about together, in whatever stage each of them is
};

/** What became of a prompt. */
struct Decomposition {
  std::vector<AtomicQuestion> questions;  // semantic, then quality; empty if the prompt was dropped
  std::string dropped;                    // why; empty otherwise
  bool is_unanswered = false;             // dropped since the server gave no reply: asking again may help
};

/** One result per prompt, in order. An attempt is in vain if any question is judged invalid, which starts the prompt
 *  afresh, or if a reply cannot be used (no JSON, an unknown tag, ...), which repeats its stage. A prompt is dropped
 * for what the model says now: where replies kept by an earlier run had a part in it, it is asked all over again first.
 *  `on_progress` is told how many prompts are done. Throws Error(reward) after 20 requests in a row without a reply,
 * and when the first 10 prompts were all dropped; no more than these are asked about before one is done. */
std::vector<Decomposition> decompose(const std::vector<std::string>& prompts, const DecomposeTemplates& templates,
                                     const DecomposeConfig& config, DecomposeCache& cache,
                                     const std::function<void(int64_t done)>& on_progress);

}  // namespace diptych
