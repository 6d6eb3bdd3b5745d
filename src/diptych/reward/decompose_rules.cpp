#include "diptych/reward/decompose_rules.h"

#include <unordered_map>

#include "diptych/shapes/caption.h"
#include "diptych/shapes/prompts.h"
#include "diptych/shapes/questions.h"

namespace diptych {

namespace {

using Requests = std::unordered_map<std::string, shapes::Request>;

Requests all_requests() {
  Requests requests;
  for (const bool implicit : {false, true})
    for (const std::string& family : shapes::families(implicit))
      for (const shapes::Prompt& prompt : shapes::enumerate_family(family))
        requests.emplace(prompt.text, prompt.request);
  return requests;
}

}  // namespace

std::vector<AtomicQuestion> shapes_questions(const shapes::Request& request) {
  std::vector<AtomicQuestion> questions;
  for (const shapes::Question& question : shapes::atomic_questions(request))
    questions.push_back({question.kind, question.tag, question.text, question.id});
  return questions;
}

std::optional<shapes::Request> find_shapes_request(const std::string& text) {
  static const Requests requests = all_requests();
  const auto found = requests.find(text);
  return found != requests.end() ? found->second : shapes::parse_caption(text);
}

}  // namespace diptych
