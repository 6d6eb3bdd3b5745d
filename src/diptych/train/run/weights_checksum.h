#pragma once
// Whether all ranks compute with the same model.

#include "diptych/distributed/process_group.h"
#include "diptych/model/bagel/bagel.h"

namespace diptych {

/** A number that another one takes the place of when a bit of any weight changes: a hash of the sums of each tensor's
 *  values, read as integers. One pass over memory on the model's device. */
uint64_t weights_checksum(Bagel& model);

/** Throws Error(peer) on all ranks, naming those that deviate, if they do not have the same weights: a rank whose
 * memory was corrupted, or which missed an update, would else train on unnoticed. All weights must be on every rank. */
void check_same_weights(Bagel& model, ProcessGroup& ranks);

}  // namespace diptych
