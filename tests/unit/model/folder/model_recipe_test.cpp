#include "diptych/tensor/torch.h"

#include "diptych/model/folder/model_recipe.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "diptych/io/files.h"
#include "support/expect_error.h"
#include "support/temporary_folder.h"
#include "support/tiny_model.h"

namespace diptych {
namespace {

const std::vector<std::string> kCorpus = {"two red circles and two blue squares"};

TEST(ModelRecipeTest, EqualRecipesMakeEqualFolders) {
  const TemporaryFolder folder;
  create_model_folder(folder.path() / "a", tiny_recipe(), kCorpus);
  create_model_folder(folder.path() / "b", tiny_recipe(), kCorpus);
  int files = 0;
  for (const auto& entry : std::filesystem::directory_iterator(folder.path() / "a")) {
    EXPECT_EQ(hash_file(entry.path()), hash_file(folder.path() / "b" / entry.path().filename())) << entry.path();
    ++files;
  }
  EXPECT_EQ(files, 12);  // five configs, two weight files and their index, four of the tokenizer
  ModelRecipe other = tiny_recipe();
  other.seed = 8;
  create_model_folder(folder.path() / "c", other, kCorpus);
  EXPECT_NE(hash_file(folder.path() / "c" / "ema.safetensors"), hash_file(folder.path() / "a" / "ema.safetensors"));
}

// bagel.md 10: no key more, no key less, but for those that name the kind of model.
TEST(ModelRecipeTest, ConfigFilesHaveTheKeysOfThePublishedFolder) {
  const TemporaryFolder folder;
  ModelRecipe recipe = tiny_recipe();
  recipe.dtype = "bfloat16";
  create_model_folder(folder.path(), recipe, kCorpus);
  const auto read = [&](const char* name) { return nlohmann::json::parse(read_file(folder.path() / name)); };
  const auto keys = [](const nlohmann::json& object) {
    std::set<std::string> names;
    for (const auto& [key, value] : object.items()) names.insert(key);
    return names;
  };
  const nlohmann::json llm = read("llm_config.json"), generation = read("generation_config.json");
  EXPECT_EQ(keys(llm),
            (std::set<std::string>{"architectures", "bos_token_id", "eos_token_id", "hidden_act", "hidden_size",
                                   "initializer_range", "intermediate_size", "max_position_embeddings",
                                   "max_window_layers", "model_type", "num_attention_heads", "num_hidden_layers",
                                   "num_key_value_heads", "rms_norm_eps", "rope_theta", "sliding_window",
                                   "tie_word_embeddings", "torch_dtype", "vocab_size"}));
  EXPECT_EQ(keys(read("vit_config.json")),
            (std::set<std::string>{"hidden_size", "image_size", "intermediate_size", "model_type",
                                   "num_attention_heads", "num_hidden_layers", "patch_size"}));
  const Tokenizer tokenizer = Tokenizer::load(folder.path());
  for (const nlohmann::json& object : {llm, generation}) {
    EXPECT_EQ(object.at("bos_token_id"), tokenizer.endoftext());
    EXPECT_EQ(object.at("eos_token_id"), tokenizer.im_end());
  }
  EXPECT_EQ(llm.at("max_position_embeddings"), 32768);
  EXPECT_EQ(llm.at("torch_dtype"), "bfloat16");
  EXPECT_EQ(read("preprocessor_config.json").at("image_mean"), nlohmann::json({0.5, 0.5, 0.5}));
}

// The path that needs no model in memory writes what a whole model would be saved as.
TEST(ModelRecipeTest, WeightsDrawnOneByOneAreThoseOfAWholeModel) {
  const TemporaryFolder folder;
  for (const char* dtype : {"float32", "bfloat16"}) {
    ModelRecipe recipe = tiny_recipe();
    recipe.dtype = dtype;
    create_model_folder(folder.path() / "drawn", recipe, kCorpus);
    Bagel model = make_bagel(load_model_config(folder.path() / "drawn"));
    initialise(model, static_cast<uint64_t>(recipe.seed));
    save_model_folder(folder.path() / "saved", model, folder.path() / "drawn", recipe.dtype == "bfloat16");
    for (const char* name : {"ema.safetensors", "ae.safetensors", "config.json", "llm_config.json", "vit_config.json"})
      EXPECT_EQ(hash_file(folder.path() / "drawn" / name), hash_file(folder.path() / "saved" / name)) << name << dtype;
  }
}

TEST(ModelRecipeTest, TheVocabularyMayBeLargerThanTheTokenizer) {
  const TemporaryFolder folder;
  ModelRecipe recipe = tiny_recipe();
  create_model_folder(folder.path(), recipe, kCorpus);
  EXPECT_EQ(load_model_folder(folder.path()).model.config.vocabulary, 320);
  const int64_t tokens = Tokenizer::load(folder.path()).size();
  for (const int64_t rows : {tokens, int64_t{1000}}) {
    recipe.config.vocabulary = rows;
    create_model_folder(folder.path(), recipe, kCorpus);
    EXPECT_EQ(load_model_folder(folder.path()).model.embed_tokens.size(0), rows);
  }
  recipe.config.vocabulary = tokens - 1;
  expect_error([&] { create_model_folder(folder.path() / "x", recipe, kCorpus); }, ExitCode::config,
               {"model.vocabulary", std::to_string(tokens)});
  EXPECT_FALSE(std::filesystem::exists(folder.path() / "x"));
}

TEST(ModelRecipeTest, FullDisksAreNoticedBeforeAnythingIsWritten) {
  const TemporaryFolder folder;
  ModelRecipe recipe = tiny_recipe();
  recipe.config.max_latent_size = 1 << 20;
  expect_error([&] { create_model_folder(folder.path(), recipe, kCorpus); }, ExitCode::io, {"of free disk space"});
  EXPECT_TRUE(std::filesystem::is_empty(folder.path()));
}

TEST(ModelRecipeTest, SizesMustGoTogether) {
  const TemporaryFolder folder;
  const auto expect_refused = [&](const std::function<void(ModelConfig&)>& change, const std::string& key) {
    ModelRecipe recipe = tiny_recipe();
    change(recipe.config);
    expect_error([&] { create_model_folder(folder.path() / "x", recipe, kCorpus); }, ExitCode::config, {key});
  };
  expect_refused([](ModelConfig& config) { config.heads = 3; }, "model.heads");
  expect_refused([](ModelConfig& config) { config.kv_heads = 3; }, "model.kv_heads");
  expect_refused([](ModelConfig& config) { config.vae.downsample = 8; }, "model.vae.downsample");
  expect_refused([](ModelConfig& config) { config.vae.norm_groups = 3; }, "model.vae.norm_groups");
  expect_refused([](ModelConfig& config) { config.vae.channel_multipliers = {}; }, "model.vae.channel_multipliers");
  for (const std::vector<int64_t>& multipliers :
       {std::vector<int64_t>(100, 1), {1, 0}, {1, -1}, {1, INT64_MAX}, {INT64_MIN, 1}})
    expect_refused([&](ModelConfig& config) { config.vae.channel_multipliers = multipliers; },
                   "model.vae.channel_multipliers");
  expect_refused([](ModelConfig& config) { config.vae_transform.stride = 12; }, "model.vae_transform.stride");
}

}  // namespace
}  // namespace diptych
