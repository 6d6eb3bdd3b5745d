#include "diptych/model/folder/preset.h"

#include "diptych/base/error.h"
#include "diptych/base/text_format.h"

namespace diptych {

std::vector<std::string> model_preset_names() {
  return {"bagel-7b"};
}

ModelRecipe model_preset(const std::string& name) {
  // The defaults of a configuration are BAGEL-7B's.
  if (name == "bagel-7b") return {.dtype = "bfloat16", .config = ModelConfig{}};
  throw Error(ExitCode::config, {"model preset", join(model_preset_names(), ", "), name, ""});
}

}  // namespace diptych
