#pragma once
// A new model described by a recipe, for `diptych init`.

#include "diptych/base/config/config_fields.h"
#include "diptych/model/folder/folder.h"
#include "diptych/text/bpe_trainer.h"

namespace diptych {

/** BAGEL-7B's sizes, but for a vocabulary that follows the tokenizer. */
inline ModelConfig recipe_defaults() {
  ModelConfig config;
  config.vocabulary = 0;
  return config;
}

struct ModelRecipe {
  int64_t seed = 0;
  int64_t tokenizer_merges = 500;
  std::string dtype = "float32";
  ModelConfig config = recipe_defaults();
};

void visit(ConfigFields& fields, ModelRecipe& recipe);

/** What a recipe says before any weight is drawn. */
struct MadeModel {
  BpeModel tokenizer;  // trained on the corpus
  Bagel model;         // on the meta device
};

/** Throws Error(config) for sizes that do not go together and a vocabulary with fewer rows than the tokenizer has
 * tokens. */
MadeModel make_model(const ModelRecipe& recipe, const std::vector<std::string>& corpus);

/** Writes a model folder with seeded random weights and a tokenizer trained on the corpus. Weights are drawn as they
 * are written: memory holds one tensor at a time. Throws Error(config) as make_model, Error(io) if the disk has
 * too little space. */
void create_model_folder(const std::filesystem::path& folder, const ModelRecipe& recipe,
                         const std::vector<std::string>& corpus);

}  // namespace diptych
