#pragma once
// Pictures of the shapes world about which every answer is known, to put a judge to the test.

#include <cstdint>
#include <optional>
#include <vector>

#include "diptych/reward/task.h"
#include "diptych/shapes/prompts/prompts.h"
#include "diptych/shapes/verify/verify.h"

namespace diptych {

enum class PictureKind {
  right,   // shows the prompt
  wrong,   // fails it: faults, or the prompt misread (shapes::sample_wrong_scene)
  spoilt,  // shows the prompt, but blurred, noisy or with overlapping objects
};

struct AgreementPicture {
  size_t prompt = 0;  // index in AgreementSet::prompts
  PictureKind kind = PictureKind::right;
  shapes::Scene scene;
  Image image;
  shapes::Verdict verdict;
};

struct AgreementSet {
  shapes::World world;
  std::vector<TaskPrompt> prompts;
  std::vector<AgreementPicture> pictures;  // three of each prompt: right, wrong, spoilt
};

/** `count` pictures of prompts of the split, explicit and implicit ones in turn. The pictures of the last prompt may be
 *  incomplete. Equal seeds draw equal pictures, and a smaller count the beginning of a larger one. */
AgreementSet draw_agreement_pictures(shapes::Split split, int64_t count, uint64_t seed,
                                     const shapes::World& world = {});

/** The answer to one of the atomic questions of the picture's prompt, the `index`-th: of semantic ones what is true of
 *  the scene, of quality ones what the verifier sees. nullopt where people would disagree: semantic questions about
 *  spoilt pictures, and quality that is neither clearly good nor clearly bad. */
std::optional<bool> true_answer(const AgreementSet& set, const AgreementPicture& picture, size_t index);

}  // namespace diptych
