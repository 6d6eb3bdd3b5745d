#include "diptych/cli/init_command.h"

#include <cstdio>

#include "diptych/model/recipe.h"
#include "diptych/shapes/corpus.h"

namespace diptych {

int init_command(const std::filesystem::path& recipe, const std::filesystem::path& folder,
                 const std::vector<std::string>& overrides) {
  create_model_folder(folder, load_config<ModelRecipe>(recipe, overrides), shapes::tokenizer_corpus());
  std::printf("wrote %s\n", folder.string().c_str());
  return 0;
}

}  // namespace diptych
