#include "diptych/cli/sft_command.h"

#include <cstdio>

#include "diptych/train/autoencoder_training.h"

namespace diptych {

int sft_command(const std::filesystem::path& recipe, const std::vector<std::string>& overrides) {
  train_autoencoder(load_config<AutoencoderRecipe>(recipe, overrides));
  return 0;
}

}  // namespace diptych
