#pragma once
// Ratings of whole pictures, for learning to judge as holistic rewards ask (docs/rewards.md): one verdict on the whole
// request, a mark from 1 to 5, and VIEScore's two marks from 0 to 10.

#include <string>
#include <vector>

#include "diptych/base/rng.h"
#include "diptych/io/image/image.h"
#include "diptych/shapes/prompts/prompts.h"
#include "diptych/shapes/world/scene.h"

namespace diptych::shapes {

enum class RatingKind { holistic, scalar, semantic, quality };

/** The question of that kind, in the words that the small model knows. `prompt` is what the user typed. */
std::string rating_question(RatingKind kind, std::string_view prompt);

/** Every answer that a kind has: "yes" and "no"; "1" to "5"; "0" to "10". */
std::vector<std::string> rating_answers(RatingKind kind);

struct Rating {
  RatingKind kind = RatingKind::holistic;
  std::string question;
  std::string answer;
  Image picture;
};

/** A question about a picture of a training prompt: right, with one or two faults, misread, or spoilt. The truth is the
 *  verifier's: correct or not; 1 + 4 soft; 10 times the mean of the semantic answers; 10 times that of the quality
 *  answers; rounded. Holistic answers are balanced by a coin. */
Rating sample_rating(const World& world, Stream& stream);

}  // namespace diptych::shapes
