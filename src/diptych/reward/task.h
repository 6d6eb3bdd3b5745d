#pragma once
// What is asked of the model and how the answer is scored.

#include <any>
#include <functional>
#include <string>
#include <vector>

#include "diptych/data/atomic_question.h"
#include "diptych/reward/candidate.h"
#include "diptych/reward/score.h"

namespace diptych {

/** One prompt of a task. */
struct TaskPrompt {
  std::string text;
  std::string family;                     // for tables; empty where the task has no families
  bool implicit = false;                  // needs thinking
  std::vector<Image> sources;             // images that come with the prompt, such as the one to edit
  std::any truth;                         // what an exact verifier checks, known to the prompt's world (shapes_task.h);
                                          // empty for prompts from a file
  std::vector<AtomicQuestion> questions;  // DVReward's; empty where nobody decomposed the prompt
  std::string metadata;                   // JSON object of the prompt file's line, for plug-in rewards; may be empty
};

/** A candidate with the prompt it answers. */
struct ScoredPair {
  const TaskPrompt* prompt = nullptr;
  const Candidate* candidate = nullptr;
};

/** Scores many candidates at once, so that judges can be asked in parallel. One score per pair, in order. */
using RewardFunction = std::function<std::vector<Score>(const std::vector<ScoredPair>&)>;

/** A reward that scores every pair by itself. */
RewardFunction score_each(std::function<Score(const ScoredPair&)> score);

}  // namespace diptych
