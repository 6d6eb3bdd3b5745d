#pragma once
// Decomposition by rules, without a language model: prompts of the shapes world, whose meaning is known exactly.

#include <optional>
#include <string>
#include <vector>

#include "diptych/data/atomic_question.h"
#include "diptych/shapes/request.h"

namespace diptych {

/** The questions of shapes/questions.h about a request. */
std::vector<AtomicQuestion> shapes_questions(const shapes::Request& request);

/** What a text asks for: one of the prompts of the shapes world, of any family and split, or a caption that
 *  shapes::parse_caption reads; nullopt for any other text. */
std::optional<shapes::Request> find_shapes_request(const std::string& text);

}  // namespace diptych
