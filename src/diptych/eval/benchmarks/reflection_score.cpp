#include "diptych/eval/benchmarks/reflection_score.h"

#include "diptych/shapes/reflection/reflection.h"
#include "diptych/shapes/verify/verify.h"
#include "diptych/shapes/world/caption.h"

namespace diptych {

namespace {

bool shows(const Image& picture, const shapes::Request& shown, const shapes::Request& request) {
  const shapes::World world;
  if (shown.clauses.empty()) return shapes::verify(picture, request, world).detections.empty();
  return shapes::verify(picture, shown, world).correct;
}

}  // namespace

ReflectionScore score_reflection(std::string_view text, const Image& picture, const shapes::Request& request) {
  const shapes::Reflection reflection = shapes::parse_reflection(text);
  if (!reflection.well_formed) return {};
  return {.described = shows(picture, *reflection.shown, request),
          .understood = !reflection.wanted->clauses.empty() &&
                        shapes::canonical_text(*reflection.wanted) == shapes::canonical_text(request),
          .finds_fault = !reflection.done};
}

}  // namespace diptych
