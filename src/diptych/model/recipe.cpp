#include "diptych/model/recipe.h"

#include "diptych/io/files.h"
#include "diptych/text/bpe_trainer.h"

namespace diptych {

namespace {

// Vocabulary rows are padded to a multiple of this, as in the published folder; spare rows stay unused.
constexpr int64_t kVocabularyMultiple = 64;

}  // namespace

void create_model_folder(const std::filesystem::path& folder, const ModelRecipe& recipe,
                         const std::vector<std::string>& corpus) {
  make_folder(folder);
  write_tokenizer_files(folder, train_bpe(corpus, recipe.tokenizer_merges));
  ModelConfig config = recipe.config;
  const int64_t tokens = Tokenizer::load(folder).size();
  config.vocabulary = (tokens + kVocabularyMultiple - 1) / kVocabularyMultiple * kVocabularyMultiple;
  Bagel model = make_bagel(config);
  initialise(model, static_cast<uint64_t>(recipe.seed));
  save_model_folder(folder, model, folder, /*compact=*/false);
}

}  // namespace diptych
