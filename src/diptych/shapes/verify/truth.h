#pragma once
// What is true of a scene: the exact counterpart of the verifier, which looks at pictures.

#include "diptych/shapes/world/position_rule.h"
#include "diptych/shapes/world/questions.h"
#include "diptych/shapes/world/request.h"
#include "diptych/shapes/world/scene.h"

namespace diptych::shapes {

/** Whether the object has the clause's shape and colour, as far as it names them. */
bool answers_to(const Object& object, const Clause& clause);

/** The object's box in pixels. */
Box box_of(const Object& object, const World& world);

/** Most objects that can be dealt out to the clauses, each clause taking at most its count. */
int best_deal(const Scene& scene, const Request& request);

/** Whether the scene shows exactly what the request asks for: verify(render(scene)).correct for a scene of normal
 *  objects on the plain background. Sizes and background do not count here. */
bool fulfils(const Scene& scene, const Request& request, const World& world);

/** The answer that the question's words demand, of a cleanly rendered scene; `question` is one of
 *  atomic_questions(request). Of a thing that is not there, and of an empty
 *  scene, nothing holds. "Are the circles red?" speaks of all circles,
 *  "Is the circle left of the square?" of every pair, and missing objects do not make others extra. */
bool holds(const Question& question, const Request& request, const Scene& scene, const World& world);

}  // namespace diptych::shapes
