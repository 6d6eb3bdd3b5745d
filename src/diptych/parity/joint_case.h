#pragma once
// The stored chains of files 15 as a rollout, and the losses whose gradients they hold.

#include "diptych/model/bagel.h"
#include "diptych/parity/fixture.h"
#include "diptych/parity/gradients.h"
#include "diptych/train/joint_loss.h"

namespace diptych {

struct JointCase {
  Rollout rollout;
  std::vector<size_t> chains;  // all of them
  std::vector<double> advantages;
  std::vector<ChainValues> old;
  std::vector<ChainValues> reference;
  JointLossOptions losses;  // total loss
  ReplayOptions replay;     // guided if the values are
};

/** Texts, grid, window and weights of `main`; latents and velocities of `values`, which is `main` itself or the guided
 *  variant. */
JointCase joint_case(const Fixture& main, const Fixture& values);

/** One loss and where its gradients go. */
struct JointVariant {
  bool text = true;
  bool flow = true;
  bool mse = true;        // with its stored weight if `text`, else unweighted
  bool detached = false;  // image losses stop at the text context
};

/** Replay, loss and backward pass: the gradients of the slots are those of the variant. */
JointLoss backward(const Bagel& model, const JointCase& joint, const JointVariant& variant,
                   const TrainableScope& trainable);

}  // namespace diptych
