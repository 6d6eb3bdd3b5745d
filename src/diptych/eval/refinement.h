#pragma once
// Refinement at inference, in the three modes that every result names (alphagrpo.md 9).

#include "diptych/eval/evaluation.h"

namespace diptych {

/** Appends to each sample whether its last picture is right. */
void judge_pictures(std::vector<EvaluatedSample>& samples);

/** Refines the last pictures for config.refine_rounds rounds:
 *    always  all of them, told that they failed
 *    oracle  those that the verifier finds wrong, told that they failed
 *    self    the model reviews all that it did not stop at, and repairs or stops
 *  Texts and images of the rounds are appended to the candidates. Draws of round r are addressed at step r. */
RefinementResult refine_samples(const Bagel& model, const Tokenizer& tokenizer, const EpisodeOptions& options,
                                const EvaluationConfig& config, std::vector<EvaluatedSample>& samples);

}  // namespace diptych
