#include "diptych/train/trainable.h"

#include <fnmatch.h>

#include "diptych/base/error.h"
#include "diptych/base/text_format.h"

namespace diptych {

namespace {

bool matches(const std::string& name, const std::string& pattern) {
  return ::fnmatch(pattern.c_str(), name.c_str(), 0) == 0;
}

void check_pattern(const std::vector<ParameterSlot>& slots, const std::string& pattern) {
  for (const ParameterSlot& slot : slots)
    if (matches(slot.name, pattern)) return;
  throw Error(ExitCode::config, {"train.parameters", "patterns that match names of weights",
                                 "'" + pattern + "' matches none", cat("a name is for example ", slots.front().name)});
}

}  // namespace

std::vector<ParameterSlot> matching_slots(const std::vector<ParameterSlot>& slots,
                                          const std::vector<std::string>& patterns) {
  for (const std::string& pattern : patterns)
    if (!pattern.starts_with("!")) check_pattern(slots, pattern);
  std::vector<ParameterSlot> chosen;
  for (const ParameterSlot& slot : slots) {
    bool included = false;
    bool excluded = false;
    for (const std::string& pattern : patterns) {
      if (pattern.starts_with("!"))
        excluded = excluded || matches(slot.name, pattern.substr(1));
      else
        included = included || matches(slot.name, pattern);
    }
    if (included && !excluded) chosen.push_back(slot);
  }
  return chosen;
}

bool is_generation_expert(const std::string& name) {
  return name.find("moe_gen") != std::string::npos;
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

}  // namespace diptych
