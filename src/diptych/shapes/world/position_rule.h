#pragma once
// GenEval's rule for the relative position of two boxes (djghosh13/geneval, evaluate_images.py).

#include <array>

#include "diptych/shapes/world/request.h"

namespace diptych::shapes {

/** An axis-aligned box; y grows downwards. Any unit. */
struct Box {
  double left = 0;
  double top = 0;
  double right = 0;
  double bottom = 0;
};

/** Direction from `reference` to `subject` as (x, y): the offset of the centres, shortened on each axis by 0.1 of the
 *  summed sizes, over the length of the unshortened offset. (0, 0) when both axes vanish. */
std::array<double, 2> direction(const Box& subject, const Box& reference);

/** Component of that direction along the relation, in [-1, 1]. */
double relation_cosine(Relation relation, const Box& subject, const Box& reference);

/** The cosine exceeds 0.5. Two relations can hold at once: left of and above. */
bool relation_holds(Relation relation, const Box& subject, const Box& reference);

}  // namespace diptych::shapes
