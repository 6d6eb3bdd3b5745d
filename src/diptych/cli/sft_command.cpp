#include "diptych/cli/sft_command.h"

#include "diptych/base/error.h"
#include "diptych/cli/finish.h"
#include "diptych/train/autoencoder_training.h"
#include "diptych/train/sft.h"

namespace diptych {

int sft_command(const std::filesystem::path& recipe, const std::vector<std::string>& overrides) {
  std::string kind = "sft";
  ConfigReader(recipe, overrides).choice("kind", kind, {"sft", "autoencoder"}, "");
  if (kind == "autoencoder") {
    const auto config = load_config<AutoencoderRecipe>(recipe, overrides);
    return finish_run(train_autoencoder(config), config.run.dir, "wrote the model folder " + config.run.dir + "/model");
  }
  const auto config = load_config<SftRecipe>(recipe, overrides);
  return finish_run(train_sft(config), config.run.dir, "wrote the model folder " + config.run.dir + "/model");
}

}  // namespace diptych
