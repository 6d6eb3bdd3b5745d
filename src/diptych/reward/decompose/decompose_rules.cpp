#include "diptych/reward/decompose/decompose_rules.h"

#include "diptych/shapes/world/questions.h"

namespace diptych {

std::vector<AtomicQuestion> shapes_questions(const shapes::Request& request) {
  std::vector<AtomicQuestion> questions;
  for (const shapes::Question& question : shapes::atomic_questions(request))
    questions.push_back({question.kind, question.tag, question.text, question.id});
  return questions;
}

}  // namespace diptych
