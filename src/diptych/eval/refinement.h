#pragma once
// Refinement at inference, in the three modes that every result names (alphagrpo.md 9).

#include "diptych/eval/evaluated_sample.h"
#include "diptych/eval/evaluation_config.h"
#include "diptych/rollout/episode.h"

namespace diptych {

/** What paints: a model, and how it is asked to. */
struct Painter {
  const Bagel& model;
  const Tokenizer& tokenizer;
  const EpisodeOptions& options;
};

/** A picture on its way through rounds of refinement. */
struct PictureToRefine {
  EpisodePrompt prompt;  // the request, where its draws are addressed, and the picture as the only source
  bool right = false;    // what the verifier says of it; only the mode `oracle` looks at it
  bool stopped = false;  // the model said that it is done; only the mode `self` looks at it
};

/** The episode of one round: `review` for the mode `self`, `reflect` for the others. */
EpisodeProgram refinement_program(const std::string& mode);

/** One round over pictures:
 *    always  refines all of them, told that they failed
 *    oracle  refines those that the verifier finds wrong, told that they failed
 *    self    the model reviews all that it did not stop at, and repairs or stops
 *  One stage for each picture, nothing for those that are left alone. Draws of round r = 1, 2, ... are addressed at
 * step r. */
std::vector<std::optional<Stage>> refine_pictures(const Painter& painter, const std::string& mode, uint64_t seed,
                                                  int64_t round, const std::vector<PictureToRefine>& pictures);

/** Whether the last pictures of samples are right, one verdict each. */
using PictureVerdicts = std::function<std::vector<bool>(const std::vector<EvaluatedSample>&)>;

/** Appends to each sample whether its last picture is right. */
void judge_pictures(const PictureVerdicts& verdicts, std::vector<EvaluatedSample>& samples);

/** Refines the last pictures of judged samples for config.refine_rounds rounds of refine_pictures in the mode
 *  config.refine. Texts and images of the rounds are appended to the candidates, verdicts and reviews to the samples.
 */
void refine_samples(const Painter& painter, const EvaluationConfig& config, const PictureVerdicts& verdicts,
                    std::vector<EvaluatedSample>& samples);

}  // namespace diptych
