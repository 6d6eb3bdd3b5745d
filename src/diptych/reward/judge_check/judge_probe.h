#pragma once
// Questions that tell whether a judge can be trusted with a reward.

#include <string>
#include <vector>

#include "diptych/reward/chat/chat.h"

namespace diptych {

enum class ProbeOutcome {
  passed,
  warned,  // some rewards suffer
  failed,  // training on this judge is not safe
};

struct JudgeProbe {
  std::string name;
  ProbeOutcome outcome = ProbeOutcome::passed;
  std::string detail;  // a phrase: what was seen and, unless passed, what it means
};

/** Asks a few questions about red and blue squares and looks at the answers, not only at whether they come:
 *  - reachable: a text question gets a reply;
 *  - thinking: the reply has no thoughts, which would stand where the yes or no is read;
 *  - images: a PNG and a JPEG are seen, since their colours are named;
 *  - log-probs: they come, are sorted, and their probabilities sum to at most 1;
 *  - yes/no: the listed tokens that read yes or no cover the answering token's probability, and the answers are right;
 *  - two images: told apart in order (editing rewards need that);
 *  - repeats: the same question again gives the same probability of yes.
 *  The list ends early where the rest could not be asked. `ask` must not answer from a cache. */
std::vector<JudgeProbe> probe_judge(const ChatFunction& ask);

}  // namespace diptych
