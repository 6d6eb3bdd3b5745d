#pragma once
// Which weights train, and in which group.

#include <optional>

#include "diptych/tensor/named_tensor.h"
#include "diptych/train/optimizer/optimizer.h"

namespace diptych {

/** Slots whose name matches one of the shell patterns ("*.layers.*", "*_moe_gen*") and none of the patterns that start
 *  with "!". Throws Error(config) for a pattern of the first kind that matches nothing. */
std::vector<ParameterSlot> matching_slots(const std::vector<ParameterSlot>& slots,
                                          const std::vector<std::string>& patterns);

/** True for weights of the generation expert: the name holds "moe_gen" (as UniRL splits its learning rates). */
bool is_generation_expert(const std::string& name);

/** The layer of the decoder that a weight of that official name belongs to; nothing for a weight outside the layers. */
std::optional<size_t> decoder_layer_of(const std::string& name);

/** Makes the slots leaves that require gradients, and deals them into the groups "und" and "gen" by expert. Slots whose
 *  learning rate is 0 are left frozen; an empty group is left out. Throws Error(config) if nothing trains. */
std::vector<ParameterGroup> expert_groups(const std::vector<ParameterSlot>& slots, double und_learning_rate,
                                          double gen_learning_rate, double max_grad_norm);

/** All parameters of the groups. */
std::vector<NamedTensor> all_parameters(const std::vector<ParameterGroup>& groups);

/** The same layer by layer, both experts of one beside each other, as a forward pass comes to them; what lies outside
 *  the layers first. */
std::vector<Tensor> parameters_by_layer(const std::vector<ParameterGroup>& groups);

}  // namespace diptych
