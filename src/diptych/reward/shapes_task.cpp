#include "diptych/reward/shapes_task.h"

#include "diptych/shapes/world/questions.h"
#include "diptych/shapes/world/render.h"

namespace diptych {

TaskPrompt shapes_task(const shapes::Prompt& prompt) {
  TaskPrompt task;
  task.text = prompt.text;
  task.family = prompt.family;
  task.implicit = prompt.implicit;
  task.truth = prompt.request;
  task.questions = shapes_questions(prompt.request);
  return task;
}

TaskPrompt edit_task(const shapes::EditTask& edit, const shapes::World& world) {
  TaskPrompt prompt;
  prompt.text = edit.text;
  prompt.family = std::string(shapes::kEditKindNames[static_cast<size_t>(edit.edit.kind)]);
  prompt.sources = {shapes::render(edit.source, world)};
  prompt.truth = edit;
  return prompt;
}

const shapes::Request* shapes_request(const TaskPrompt& prompt) {
  return std::any_cast<shapes::Request>(&prompt.truth);
}

const shapes::EditTask* shapes_edit(const TaskPrompt& prompt) {
  return std::any_cast<shapes::EditTask>(&prompt.truth);
}

std::vector<AtomicQuestion> shapes_questions(const shapes::Request& request) {
  std::vector<AtomicQuestion> questions;
  for (const shapes::Question& question : shapes::atomic_questions(request))
    questions.push_back({question.kind, question.tag, question.text, question.id});
  return questions;
}

}  // namespace diptych
