#pragma once
// A reward made of several: their weighted sum, with every part kept.

#include <string>
#include <vector>

#include "diptych/reward/task.h"

namespace diptych {

struct RewardTerm {
  std::string name;
  double weight = 1;  // 0: computed and shown, without a say
  RewardFunction reward;
};

/** Sum of weight * value. Score::terms has one entry per term, whatever became of it; those with a value stand among
 * the checks as "term/<name>", too. The checks of the first term keep their names, those of the others become
 * "<name>/<check>". A term with a weight other than 0 that failed makes the sum fail; one that is masked masks it. A
 * single term of weight 1 is passed on as it is, with Score::terms filled in. */
RewardFunction weighted_sum(std::vector<RewardTerm> terms);

}  // namespace diptych
