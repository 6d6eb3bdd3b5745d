#include "diptych/tensor/torch.h"

#include "diptych/model/recipe.h"

#include <gtest/gtest.h>

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
  EXPECT_EQ(files, 9);  // three configs, two weight files, four of the tokenizer
  ModelRecipe other = tiny_recipe();
  other.seed = 8;
  create_model_folder(folder.path() / "c", other, kCorpus);
  EXPECT_NE(hash_file(folder.path() / "c" / "ema.safetensors"), hash_file(folder.path() / "a" / "ema.safetensors"));
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
  expect_refused([](ModelConfig& config) { config.vae_transform.stride = 12; }, "model.vae_transform.stride");
}

}  // namespace
}  // namespace diptych
