#include "diptych/tensor/torch.h"

#include "diptych/plan/planned_model.h"

#include <algorithm>

#include "diptych/tensor/device.h"
#include "diptych/train/optimizer/trainable.h"
#include "diptych/train/update/update_options.h"

namespace diptych {

namespace {

int64_t bytes_of(const Tensor& tensor) {
  return tensor.defined() ? static_cast<int64_t>(tensor.nbytes()) : 0;
}

bool is_precise(const Tensor& tensor) {
  return tensor.scalar_type() == at::kFloat;
}

int64_t& count_of(const std::string& name, ParameterCounts& counts) {
  if (decoder_layer_of(name)) return is_generation_expert(name) ? counts.gen_expert : counts.und_expert;
  if (name.find("embed_tokens") != std::string::npos || name.find("lm_head") != std::string::npos)
    return counts.vocabulary;
  const bool is_vit = name.starts_with("vit_") || name.starts_with("connector");
  return is_vit ? counts.vit : counts.other;
}

/** What an optimizer step allocates: a parameter before its update with the mask of its changes, one at a time; with
 *  adapters, the largest merge: the sum in float32, and beside it the weight that it is rounded to or the mask. */
int64_t optimizer_step_bytes(PlannedModel& planned) {
  int64_t largest = 0;
  for (const ParameterGroup& group : planned.groups)
    for (const NamedTensor& parameter : group.parameters)
      largest = std::max(largest, bytes_of(parameter.tensor) + parameter.tensor.numel());
  for (const NamedLinear& linear : decoder_linears(planned.model.decoder)) {
    if (!linear.layer->adapter) continue;
    const int64_t bytes_of_a_weight = is_precise(linear.layer->weight) ? 4 + 1 : 4 + 2;
    largest = std::max(largest, bytes_of_a_weight * linear.layer->weight.numel());
  }
  return largest;
}

}  // namespace

PlannedModel planned_model(const ModelConfig& config, const std::string& dtype, const PolicyOptions& trained) {
  PlannedModel planned{make_bagel(config), {}};
  for (const ParameterSlot& slot : transformer_slots(planned.model))
    *slot.tensor = slot.tensor->to(compute_dtype(dtype));
  planned.groups = trained_groups(planned.model, trained);
  return planned;
}

PlannedModel planned_model(const ModelConfig& config, const RlRecipe& recipe) {
  return planned_model(config, recipe.run.dtype, policy_options(recipe));
}

ParameterCounts parameter_counts(PlannedModel& planned) {
  ParameterCounts counts;
  for (const ParameterSlot& slot : transformer_slots(planned.model)) {
    count_of(slot.name, counts) += slot.tensor->numel();
    counts.total += slot.tensor->numel();
  }
  for (const ParameterSlot& slot : autoencoder_slots(planned.model)) counts.autoencoder += slot.tensor->numel();
  for (const NamedLinear& linear : decoder_linears(planned.model.decoder))
    if (linear.layer->adapter)
      counts.adapters += linear.layer->adapter->down.numel() + linear.layer->adapter->up.numel();
  for (const NamedTensor& parameter : all_parameters(planned.groups))
    (is_generation_expert(parameter.name) ? counts.trained_gen : counts.trained_und) += parameter.tensor.numel();
  return counts;
}

StateBytes state_bytes(PlannedModel& planned, bool keeps_reference, int64_t ranks, bool bfloat16_gradients) {
  StateBytes state;
  for (const ParameterSlot& slot : transformer_slots(planned.model)) state.weights += bytes_of(*slot.tensor);
  for (const ParameterSlot& slot : autoencoder_slots(planned.model)) state.autoencoder += bytes_of(*slot.tensor);
  bool adapted = false;
  for (const NamedLinear& linear : decoder_linears(planned.model.decoder)) {
    if (!linear.layer->adapter) continue;
    const Adapter& adapter = *linear.layer->adapter;
    state.adapters += bytes_of(adapter.down) + bytes_of(adapter.up);
    state.bases += bytes_of(adapter.base);
    adapted = true;
  }
  const std::vector<NamedTensor> parameters = all_parameters(planned.groups);
  const std::vector<int> owners = owners_of(parameters, static_cast<int>(ranks));
  std::vector<int64_t> masters(static_cast<size_t>(ranks)), moments(static_cast<size_t>(ranks));
  for (size_t i = 0; i < parameters.size(); ++i) {
    const Tensor& parameter = parameters[i].tensor;
    const int64_t precise = parameter.numel() * static_cast<int64_t>(sizeof(float));
    if (!is_precise(parameter)) masters[static_cast<size_t>(owners[i])] += precise;
    moments[static_cast<size_t>(owners[i])] += 2 * precise;
    state.gradients += bfloat16_gradients ? bytes_of(parameter) : precise;
    state.gradients_grow = is_precise(parameter) || bfloat16_gradients;
    if (keeps_reference && !adapted) {
      state.reference += bytes_of(parameter);
      state.reference_swap = std::max(state.reference_swap, bytes_of(parameter));
    }
  }
  state.masters = *std::max_element(masters.begin(), masters.end());
  state.moments = *std::max_element(moments.begin(), moments.end());
  state.optimizer_step = optimizer_step_bytes(planned);
  return state;
}

}  // namespace diptych
