#pragma once
// What one has to know for the implicit prompts, and how reliably the supervised start knows it.

#include <array>
#include <string>
#include <vector>

#include "diptych/shapes/world/request.h"

namespace diptych::shapes {

enum class FactKind { colour, count, shape, relation };

/** "grass is green", "a tricycle has three wheels", "a donut is shaped like a ring". A relation fact holds no thing:
 *  it is the skill of turning "a circle that has a square to its left" round into "a square left of a circle". */
struct Fact {
  FactKind kind = FactKind::colour;
  int answer = 0;          // Colour, Shape or Relation as a number; for a count, the count
  std::string thing = {};  // with its article: "a tricycle"; empty for a relation
  std::string part = {};   // singular, counts only: "wheel"
  std::string parts = {};  // its plural
  double reliability = 1;  // share of the supervised start's traces that state the right answer, not a confusion
};

/** The two answers that a careless thinker gives instead of `answer`: neighbours, such as pink for red. For a relation
 *  first the one left unturned, then one of the other axis. */
std::array<int, 2> confusions(FactKind kind, int answer);

/** All facts; the position in this list is the fact's id. Ids and contents never change while a run lasts. */
const std::vector<Fact>& facts();

/** The request with the fact answered by `answer`: the only clause gets that colour, count or shape, or the position
 *  that relation. */
Request with_answer(Request request, const Fact& fact, int answer);

/** The sentence that states `answer`, with " ." at its end. `request` names the objects of a relation. */
std::string statement(const Fact& fact, int answer, const Request& request);

}  // namespace diptych::shapes
