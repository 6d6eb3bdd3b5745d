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

struct Score {
  std::optional<double> value;  // set if and only if status is ok
  std::vector<Check> checks;
  ScoreStatus status = ScoreStatus::ok;
  std::string raw_reply;          // what the judge or verifier said, for logs
  std::vector<Check> terms = {};  // values of the rewards that `value` sums up, unweighted, named by kind
};

}  // namespace diptych
