#pragma once
// The stored stages of files 15 as a rollout, and the losses whose gradients they hold.

#include "diptych/model/bagel/bagel.h"
#include "diptych/parity/fixture.h"
#include "diptych/parity/gradients.h"
#include "diptych/train/update/joint_loss.h"

namespace diptych {

struct JointCase {
  Rollout rollout;
  std::vector<size_t> stages;  // all of them
  std::vector<double> advantages;
  std::vector<StageValues> old;
  std::vector<StageValues> reference;
  LossOptions losses;    // total loss
  ReplayOptions replay;  // guided if the values are
};

/** Texts, grid, window and weights of `main`; latents and velocities of `values`, which is `main` itself or the guided
 *  variant. */
JointCase joint_case(const Fixture& main, const Fixture& values);

/** A loss of the update: all of it with the stored weights, or one part unweighted. */
enum class JointPart { total, text, flow, mse };

/** Replay, loss and backward pass: the gradients of the slots are those of the part. `detached`: image losses stop at
 *  the text context. */
JointLoss backward(const Bagel& model, const JointCase& joint, JointPart part, bool detached,
                   const TrainableScope& trainable);

}  // namespace diptych
