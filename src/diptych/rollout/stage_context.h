#pragma once
// The contexts of a stage, from its program.

#include <span>

#include "diptych/rollout/episode.h"

namespace diptych {

/** What a stage of an episode speaks of. */
struct StageInput {
  std::string request;
  std::vector<Image> images;  // the user's images, or the one that the stage before painted
  StreamKey key = {};         // image k of the context draws its posterior noise at key.position + k
};

/** The parts of a stage's context in order. Throws Error(data) where the program wants an image and there is none. */
std::vector<ContextPart> given_parts(const EpisodeOptions& options, const StageProgram& program,
                                     const StageInput& input);

/** Builds the full context and the two of guidance; an image has the same noise in every branch. Throws as given_parts
 *  does. */
StageContext stage_context(const Bagel& model, const Tokenizer& tokenizer, const EpisodeOptions& options,
                           const StageProgram& program, const StageInput& input);

bool has_image(const StageContext& context);

/** Prefills one branch of the stages' contexts, once for each distinct one of `contexts`, the rollout's. Entry k of the
 *  result belongs to stages[k]. */
std::vector<CachedContext> prefill_shared(const Bagel& model, KvCache& cache, const std::vector<StageContext>& contexts,
                                          std::span<const Stage> stages, const SegmentChain StageContext::*branch);

}  // namespace diptych
