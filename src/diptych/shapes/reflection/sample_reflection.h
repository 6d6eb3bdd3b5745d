#pragma once
// Training examples of reflection and review: wrong pictures that are repaired, right ones that are left alone, and the
// mistakes of a careless reviewer.

#include <optional>
#include <string>

#include "diptych/base/rng.h"
#include "diptych/shapes/world/scene.h"

namespace diptych::shapes {

/** Share of reflections that miss what is wrong and change something at random. */
inline constexpr double kMissedShare = 0.1;
/** Share of reviews of pictures that are right. */
inline constexpr double kRightShare = 0.5;
/** Share of reviews of wrong pictures that say "done": the supervised start trusts itself too much, as BAGEL does. */
inline constexpr double kOverconfidentShare = 0.25;

struct ReflectionExample {
  std::string prompt;             // the instruction, with what the user typed in it
  std::string answer;             // a text of reflection.h
  Scene picture;                  // what is reflected on
  std::optional<Scene> repaired;  // after the written edits, right or wrong; absent after "done"
};

/** A reflection on a picture that fails a training prompt, told so. What the prompt needs is misread as often as in
 *  thinking (sample_trace); the picture fails the misread request too. */
ReflectionExample sample_reflection(const World& world, Stream& stream);

/** A review of a picture of a training prompt, right or wrong. Right pictures get "done" and the true fact. */
ReflectionExample sample_review(const World& world, Stream& stream);

}  // namespace diptych::shapes
