#pragma once
// Weights for a new model.

#include <functional>

#include "diptych/model/bagel/bagel.h"

namespace diptych {

/** The tensor of a slot. */
using WeightSource = std::function<Tensor(const ParameterSlot&)>;

/** Weights for a new model, float32 on the CPU, for its slots one at a time and in any order: normal with standard
 *  deviation 1 / sqrt(fan in), embeddings 0.02, norms 1, biases 0, the generation expert equal to the understanding
 *  expert, the velocity head zero (bagel.md 3, 6). Every draw is addressed by the seed and the number of the tensor. Of
 *  the model only names, shapes and configuration are used: it may be on the meta device. */
WeightSource initial_weights(Bagel& model, uint64_t seed);

/** Fills every slot with its initial weight. */
void initialise(Bagel& model, uint64_t seed);

/** transformer_slots, then autoencoder_slots. */
std::vector<ParameterSlot> all_slots(Bagel& model);

}  // namespace diptych
