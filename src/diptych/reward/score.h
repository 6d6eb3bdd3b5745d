#pragma once
// The result of a reward for one candidate.

#include <optional>
#include <string>
#include <vector>

namespace diptych {

enum class ScoreStatus {
  ok,
  masked,  // no value through no fault of the candidate, such as a judge that is down; the sample is left out
  failed,  // the candidate cannot be scored, such as one without a picture
};

/** A named part of a score: one question, one sub-reward. */
struct Check {
  std::string name;
  double value = 0;
};

/** What one of the rewards that are added up says. */
struct TermScore {
  std::string name;             // its kind
  double weight = 1;            // in the sum
  std::optional<double> value;  // unweighted; absent where the reward has none
};

struct Score {
  std::optional<double> value;  // set if and only if status is ok
  std::vector<Check> checks;
  ScoreStatus status = ScoreStatus::ok;
  std::string raw_reply;              // what the judge or verifier said, for logs
  std::vector<TermScore> terms = {};  // of every reward that `value` sums up, in the order of the recipe
};

}  // namespace diptych
