#pragma once
// Decomposition by rules, without a language model: prompts of the shapes world, whose meaning is known exactly.

#include <string>
#include <vector>

#include "diptych/data/atomic_question.h"
#include "diptych/shapes/world/request.h"

namespace diptych {

/** The questions of shapes/world/questions.h about a request. */
std::vector<AtomicQuestion> shapes_questions(const shapes::Request& request);

}  // namespace diptych
