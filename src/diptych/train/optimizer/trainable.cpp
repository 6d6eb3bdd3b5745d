#include "diptych/train/optimizer/trainable.h"

#include <algorithm>

#include "diptych/base/error.h"
#include "diptych/base/name_patterns.h"
#include "diptych/base/text_format.h"

namespace diptych {

std::vector<ParameterSlot> matching_slots(const std::vector<ParameterSlot>& slots,
                                          const std::vector<std::string>& patterns) {
  std::vector<std::string> names;
  for (const ParameterSlot& slot : slots) names.push_back(slot.name);
  std::vector<ParameterSlot> matching;
  for (const size_t place : matching_names(names, patterns, "train.parameters")) matching.push_back(slots[place]);
  return matching;
}

bool is_generation_expert(const std::string& name) {
  return name.find("moe_gen") != std::string::npos;
}

std::optional<size_t> decoder_layer_of(const std::string& name) {
  constexpr std::string_view kLayers = "language_model.model.layers.";
  if (!name.starts_with(kLayers)) return std::nullopt;
  return std::stoul(name.substr(kLayers.size()));
}

std::vector<ParameterGroup> expert_groups(const std::vector<ParameterSlot>& slots, double und_learning_rate,
                                          double gen_learning_rate, double max_grad_norm) {
  ParameterGroup und{"und", {}, und_learning_rate, max_grad_norm};
  ParameterGroup gen{"gen", {}, gen_learning_rate, max_grad_norm};
  for (const ParameterSlot& slot : slots) {
    ParameterGroup& group = is_generation_expert(slot.name) ? gen : und;
    if (group.learning_rate == 0) continue;
    slot.tensor->requires_grad_(true);
    group.parameters.push_back({slot.name, *slot.tensor});
  }
  std::vector<ParameterGroup> groups;
  for (ParameterGroup& group : {std::ref(und), std::ref(gen)})
    if (!group.parameters.empty()) groups.push_back(std::move(group));
  if (groups.empty())
    throw Error(ExitCode::config, {"train.parameters and the learning rates", "weights with a learning rate above 0",
                                   cat("none among the ", slots.size(), " that match"), ""});
  return groups;
}

std::vector<NamedTensor> all_parameters(const std::vector<ParameterGroup>& groups) {
  std::vector<NamedTensor> parameters;
  for (const ParameterGroup& group : groups)
    parameters.insert(parameters.end(), group.parameters.begin(), group.parameters.end());
  return parameters;
}

std::vector<Tensor> parameters_by_layer(const std::vector<ParameterGroup>& groups) {
  std::vector<NamedTensor> parameters = all_parameters(groups);
  const auto place = [](const NamedTensor& parameter) {
    const std::optional<size_t> layer = decoder_layer_of(parameter.name);
    return layer ? static_cast<int64_t>(*layer) : -1;
  };
  std::stable_sort(parameters.begin(), parameters.end(),
                   [&](const NamedTensor& a, const NamedTensor& b) { return place(a) < place(b); });
  std::vector<Tensor> tensors;
  for (const NamedTensor& parameter : parameters) tensors.push_back(parameter.tensor);
  return tensors;
}

}  // namespace diptych
