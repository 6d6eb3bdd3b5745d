#pragma once
// Prompts of the shapes world as tasks, whose truth its exact verifier knows.

#include <vector>

#include "diptych/data/atomic_question.h"
#include "diptych/reward/task.h"
#include "diptych/shapes/edits/edit.h"
#include "diptych/shapes/prompts/prompts.h"

namespace diptych {

/** A prompt of the shapes world as a task. Its truth is the request, its questions are those about the request. */
TaskPrompt shapes_task(const shapes::Prompt& prompt);

/** An edit of the shapes world as a task: the instruction, and the picture to edit as its source. Its truth is the
 *  EditTask. */
TaskPrompt edit_task(const shapes::EditTask& edit, const shapes::World& world);

/** What the picture must hold; null for a prompt that shapes_task did not make. */
const shapes::Request* shapes_request(const TaskPrompt& prompt);

/** The edit to be made; null for a prompt that edit_task did not make. */
const shapes::EditTask* shapes_edit(const TaskPrompt& prompt);

/** The questions of shapes/world/questions.h about a request: its decomposition, by rules instead of a language model.
 */
std::vector<AtomicQuestion> shapes_questions(const shapes::Request& request);

}  // namespace diptych
