#pragma once
// The loss of a set of stages, from one replay of the policy: the sum of all terms (train/losses/loss_term.h).

#include "diptych/train/losses/loss_report.h"

namespace diptych {

struct JointLoss {
  Tensor total;  // scalar with gradient
  LossReport terms = empty_report();
};

/** L = sum_k weight_k L_k over the stages of the replay (UniGRPO Eq. 2, 6, 7, 8): of the windows, those with images of
 *  one size at a time, then of the texts. Throws where the replay holds neither. */
JointLoss joint_loss(const LossInput& input, const LossOptions& options, const LossDenominators& denominators);

}  // namespace diptych
