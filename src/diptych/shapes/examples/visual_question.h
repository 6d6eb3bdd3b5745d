#pragma once
// Yes/no questions about pictures, for learning to judge them: the very words of atomic_questions.

#include <string>
#include <string_view>

#include "diptych/base/rng.h"
#include "diptych/io/image/image.h"
#include "diptych/shapes/world/scene.h"

namespace diptych::shapes {

struct VisualQuestion {
  std::string text;  // an atomic question of some request
  bool answer = false;
  std::string tag;  // Question::tag
  Image picture;
};

/** "yes" or "no". */
constexpr std::string_view answer_text(bool answer) {
  return answer ? "yes" : "no";
}

/** A question and a picture. The answer is a coin toss whatever the question, so the words alone tell nothing. Semantic
 *  questions are answered from the scene (holds); pictures are clean and show the request, one or two faults in it, or
 *  something else. Quality questions are answered by the detector's fit and purity of the worst object; their pictures
 *  are clean, blurred, noisy, filled with two colours, or have overlapping objects. One question in six is of quality,
 *  the others spread evenly over the semantic properties. */
VisualQuestion sample_visual_question(const World& world, Stream& stream);

}  // namespace diptych::shapes
