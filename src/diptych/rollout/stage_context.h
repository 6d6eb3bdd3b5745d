#pragma once
// The contexts of a stage, from its program.

#include "diptych/rollout/episode.h"

namespace diptych {

/** What a stage of an episode speaks of. */
struct StageInput {
  std::string request;
  std::vector<Image> images;  // the user's images, or the one that the stage before painted
};

/** The parts of a stage's context in order. Throws Error(data) where the program wants an image and there is none. */
std::vector<ContextPart> given_parts(const EpisodeOptions& options, const StageProgram& program,
                                     const StageInput& input);

/** Builds the full context and the two of guidance. Image k of the context draws its posterior noise at key.position +
 *  k, the same in every branch. Throws as given_parts does. */
StageContext stage_context(const Bagel& model, const Tokenizer& tokenizer, const EpisodeOptions& options,
                           const StageProgram& program, const StageInput& input, const StreamKey& key);

bool has_image(const StageContext& context);

/** Prefills one branch of the contexts of stages begin, begin + 1, ..., once for each distinct context. contexts[k]
 *  belongs to stage begin + k and starts empty. */
void prefill_shared(const Bagel& model, KvCache& cache, const Rollout& rollout, size_t begin,
                    const SegmentChain StageContext::*branch, std::vector<CachedContext>& contexts);

}  // namespace diptych
