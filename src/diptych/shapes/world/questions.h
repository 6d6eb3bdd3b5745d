#pragma once
// A rule-based decomposer: the yes/no questions that an exact verifier, or any judge, answers about a request.

#include <string>
#include <vector>

#include "diptych/shapes/world/request.h"

namespace diptych::shapes {

/** What a question looks at. The first five are semantic, the last two are about quality. */
enum class Property {
  existence,      // the objects of the clause are there, any colour
  count,          // exactly as many as asked, of the clause's shape and colour
  colour,         // the objects of the clause's shape have its colour
  position,       // the request's position holds
  nothing_extra,  // no object beyond those asked for
  sharpness,      // outlines are clean: every object fits its shape's template
  purity,         // each object is filled with one colour
};

struct Question {
  std::string id;    // "s1", "s2", ... for semantic and "q1", ... for quality questions; unique in its request
  std::string text;  // yes = good
  std::string kind;  // "semantic" or "quality"
  std::string tag;   // AlphaGRPO's class of the question, such as Existence, Count, Attribute, Spatial, Geometry
  Property property = Property::existence;
  int clause = -1;  // index into Request::clauses; -1 for a question about the whole picture
};

/** All questions of a request, semantic ones first; at least one of either kind. Deterministic. */
std::vector<Question> atomic_questions(const Request& request);

}  // namespace diptych::shapes
