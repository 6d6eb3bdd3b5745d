#pragma once
// The section of a recipe that says where its prompts come from.

#include "diptych/base/config/config_fields.h"

namespace diptych {

struct PromptsConfig {
  std::string source = "shapes";
  std::string path;
  int64_t per_step = 32;
};

void visit(ConfigFields& fields, PromptsConfig& prompts);

}  // namespace diptych
