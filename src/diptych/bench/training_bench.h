#pragma once
// One reinforcement step in its parts: rollout, values of the reference, update.

#include "diptych/bench/bench.h"
#include "diptych/train/trained_policy.h"

namespace diptych {

/** A step of chains that think for a fixed number of tokens and paint one square image, without guidance. */
struct TrainingCase {
  std::string name;  // in front of the names of the rows; empty: none
  int64_t chains = 0;
  int64_t group = 8;  // chains of a prompt
  int64_t tokens = 24;
  int64_t side = 0;  // pixels
  int64_t updates = 10;
  int64_t window = 3;  // trained steps
  int64_t sampled_per_pack = 128;
  int64_t trained_per_pack = 32;
  PolicyOptions policy = {};
  bool recompute_layers = false;
  bool in_place = false;     // trains the weights of `input` themselves: a copy of a large model does not fit beside it
  bool replays_old = false;  // the step computes the old values again instead of taking the rollout's
  bool whole_step = true;    // false: no row for the step
};

/** Rows for replaying the chains without gradient, for the update (replay, backward and AdamW), and for the whole step:
 *  rollout, reference values and update. A forward and backward pass counts as 3 forwards, of adapters as 2: so much
 *  cannot be done without. */
std::vector<BenchRow> training_rows(const BenchInput& input, const TrainingCase& training);

/** The same for the batch of `input`, all weights of the decoder trained, at the smallest size of an image. */
std::vector<BenchRow> bench_training(const BenchInput& input);

}  // namespace diptych
