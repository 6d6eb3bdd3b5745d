#pragma once
// A model without values, with what a recipe trains of it: counts and bytes that loader, adapters and optimizer agree
// with, since their own functions make it.

#include "diptych/model/bagel/bagel.h"
#include "diptych/train/optimizer/optimizer.h"
#include "diptych/train/optimizer/trained_policy.h"
#include "diptych/train/recipe/rl_config.h"

namespace diptych {

struct PlannedModel {
  Bagel model;                         // on the meta device, in the recipe's dtype
  std::vector<ParameterGroup> groups;  // what trains, adapters included
};

/** Throws Error(config) as training does, for patterns that match nothing and so on. */
PlannedModel planned_model(const ModelConfig& config, const std::string& dtype, const PolicyOptions& trained);
PlannedModel planned_model(const ModelConfig& config, const RlRecipe& recipe);

struct ParameterCounts {
  int64_t und_expert = 0;  // decoder layers
  int64_t gen_expert = 0;  // decoder layers
  int64_t vocabulary = 0;  // word embeddings and text head
  int64_t vit = 0;         // with its connector and position table
  int64_t other = 0;       // last norms, latent projections, time embedder, position table
  int64_t total = 0;       // of the above
  int64_t autoencoder = 0;
  int64_t adapters = 0;
  int64_t trained_und = 0;  // weights or adapters
  int64_t trained_gen = 0;
};

ParameterCounts parameter_counts(PlannedModel& planned);

/** Bytes that a rank holds from the start of training to its end; of the dealt parts, those of the rank with most. */
struct StateBytes {
  int64_t weights = 0;  // of the transformer
  int64_t autoencoder = 0;
  int64_t adapters = 0;
  int64_t bases = 0;            // in the host's memory: the frozen weights behind adapters
  int64_t masters = 0;          // dealt over the ranks; a float32 parameter is its own
  int64_t moments = 0;          // of Adam, dealt
  int64_t gradients = 0;        // sums, on every rank
  int64_t reference = 0;        // in the host's memory: frozen copies of what trains in full
  int64_t optimizer_step = 0;   // at most at work in an optimizer step
  int64_t reference_swap = 0;   // at most at work in an exchange of policy and reference
  bool gradients_grow = false;  // a backward pass allocates them, instead of adding to zeros
};

/** `bfloat16_gradients`: train.gradient_dtype. */
StateBytes state_bytes(PlannedModel& planned, bool keeps_reference, int64_t ranks, bool bfloat16_gradients = false);

}  // namespace diptych
