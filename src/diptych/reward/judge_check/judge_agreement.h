#pragma once
// How good a judge is: its answers and rewards against the exact truth of the shapes world.

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "diptych/reward/chat/chat.h"
#include "diptych/reward/judge_check/agreement_pictures.h"
#include "diptych/reward/protocols/yes_probability.h"

namespace diptych {

/** Atomic questions of one tag, or all. Shares are of the answered ones and 0 without any. */
struct QuestionAgreement {
  std::string tag;        // "all", or shapes::Question::tag
  int64_t asked = 0;      // questions with a clear truth
  int64_t answered = 0;   // of them
  double truly_yes = 0;   // share
  double judged_yes = 0;  // share with P(yes) above 0.5
  double accuracy = 0;
  std::optional<double> balanced_accuracy;
  std::optional<double> area_under_curve;  // of P(yes)
  double calibration_error = 0;            // of P(yes)
  double coverage = 0;                     // mean probability of all tokens that read yes or no among those listed
};

/** A reward for whole pictures. */
struct RewardAgreement {
  std::string name;
  int64_t scored = 0;                      // pictures with a value
  std::optional<double> rank_correlation;  // with the verifier's DVReward, over these (Spearman)
  int64_t pairs = 0;                       // right and wrong picture of one prompt, both with a value
  std::optional<double> pair_accuracy;     // share of pairs whose right picture has more; equal values count one half
  std::string first_missing;               // what the judge or the reward said where it had no value
};

struct JudgeAgreement {
  std::vector<QuestionAgreement> questions;  // "all", then the tags in the order of their first question
  std::vector<RewardAgreement> rewards;      // dvreward, judge_holistic, scalar_logprobs, scalar_written, viescore
};

/** Asks every atomic question about every picture by DVReward's protocol, then the questions of the other judged
 * rewards in the words of shapes/examples/rating.h. `how` puts yes/no questions; the others take its encoding of
 * images. */
JudgeAgreement judge_agreement(const AgreementSet& set, const ChatFunction& ask, const YesNoOptions& how);

}  // namespace diptych
