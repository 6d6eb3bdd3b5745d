#pragma once
// What is asked of the model and how the answer is scored.

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "diptych/data/atomic_question.h"
#include "diptych/reward/candidate.h"
#include "diptych/reward/score.h"
#include "diptych/shapes/edits/edit.h"
#include "diptych/shapes/world/prompts.h"

namespace diptych {

/** One prompt of a task. */
struct TaskPrompt {
  std::string text;
  std::string family;                      // for tables; empty where the task has no families
  bool implicit = false;                   // needs thinking
  std::optional<shapes::Request> request;  // what the exact verifier checks; absent for prompts from a file
  std::vector<Image> sources;              // images that come with the prompt, such as the one to edit
  std::optional<shapes::EditTask> edit;    // what the exact verifier checks of an edit
  std::vector<AtomicQuestion> questions;   // DVReward's; empty where nobody decomposed the prompt
  std::string metadata;                    // JSON object of the prompt file's line, for plug-in rewards; may be empty
};

/** A candidate with the prompt it answers. */
struct ScoredPair {
  const TaskPrompt* prompt = nullptr;
  const Candidate* candidate = nullptr;
};

/** Scores many candidates at once, so that judges can be asked in parallel. One score per pair, in order. */
using RewardFunction = std::function<std::vector<Score>(const std::vector<ScoredPair>&)>;

/** A reward that needs neither settings nor a judge: the exact verifier's "shapes_strict", "shapes_soft",
 *  "shapes_mixed", "shapes_dvreward", "shapes_edit", "shapes_edit_strict", the forms of texts "format_think",
 *  "format_think_answer", or "brightness" (mean of the image's bytes in [0, 1]: a trivial reward to see that training
 *  works). Throws Error(config) for others; the reward throws it for a prompt that the verifier cannot check. Rewards
 *  with settings: reward_config.h. */
RewardFunction make_reward(const std::string& kind);

/** Names that make_reward(kind) knows. */
const std::vector<std::string>& plain_reward_kinds();

/** A prompt of the shapes world as a task. */
TaskPrompt shapes_task(const shapes::Prompt& prompt);

/** An edit of the shapes world as a task: the instruction, and the picture to edit as its source. */
TaskPrompt edit_task(const shapes::EditTask& edit, const shapes::World& world);

}  // namespace diptych
