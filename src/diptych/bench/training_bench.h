#pragma once
// One reinforcement step in its parts: rollout, values of the reference, update.

#include "diptych/bench/bench.h"
#include "diptych/train/optimizer/trained_policy.h"

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
  // Ways of the update, tried in this order: whether the backward pass runs the layers again, or they keep what it
  // needs. Rows of the first say "recomputed".
  std::vector<bool> recompute = {false};
  bool first_that_fits = true;  // of these ways, and no other
  bool in_place = false;     // trains the weights of `input` themselves: a copy of a large model does not fit beside it
  bool replays_old = false;  // the step computes the old values again instead of taking the rollout's
  bool whole_step = true;    // false: no rows for the rollout and the step
  // Of a whole step, which exchanges policy and reference once, there and back.
  int64_t step_chains = 0;  // 0: those that are measured
  int64_t optimizer_steps = 1;
};

/** Rows for: sampling the chains; replaying them without gradient; exchanging policy and reference; a step of the
 *  optimizer; the update without it; and a whole step, added up from these and never run as a whole. A forward and
 *  backward pass counts as 3 forwards, of adapters as 2: so much cannot be done without. Throws c10::OutOfMemoryError
 *  where not even one way of the update could be tried; a way that does not fit has a row that says so. Weights of
 *  `input` that trained in place require no gradients afterwards, whatever happens. */
void report_training(const BenchInput& input, const TrainingCase& training);

/** The same for the batch of `input`, all weights of the decoder trained, at the smallest size of an image. */
void bench_training(const BenchInput& input);

}  // namespace diptych
