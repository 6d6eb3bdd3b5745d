#include "diptych/tensor/torch.h"

#include "diptych/train/loops/autoencoder_training.h"

#include <gtest/gtest.h>

#include "golden/train/runs.h"
#include "support/expect_error.h"
#include "support/temporary_folder.h"
#include "support/tiny_model.h"

namespace diptych {
namespace {

class AutoencoderRunTest : public ::testing::Test {
 protected:
  void SetUp() override { make_tiny_model(model_); }

  AutoencoderRecipe recipe(const std::string& run) const {
    AutoencoderRecipe recipe;
    recipe.model = model_;
    recipe.run.dir = folder_.path() / run;
    recipe.run.threads = 1;
    recipe.run.checkpoint_every = 3;
    recipe.train.steps = 6;
    recipe.train.batch = 4;
    return recipe;
  }

  TemporaryFolder folder_;
  const std::filesystem::path model_ = folder_.path() / "model";
};

TEST_F(AutoencoderRunTest, ALostCheckpointIsMadeUpFor) {
  EXPECT_EQ(train_autoencoder(recipe("whole")), EndReason::finished);
  train_autoencoder(recipe("crashed"));
  lose_newest_checkpoint(folder_.path() / "crashed");
  train_autoencoder(recipe("crashed"));
  expect_same_run(folder_.path() / "crashed", folder_.path() / "whole");
  EXPECT_EQ(hash_file(folder_.path() / "crashed" / "model" / "ae.safetensors"),
            hash_file(folder_.path() / "whole" / "model" / "ae.safetensors"));
}

TEST_F(AutoencoderRunTest, MeasuresTheLatentAndLeavesTheTransformer) {
  train_autoencoder(recipe("run"));
  ModelFolder before = load_model_folder(model_), after = load_model_folder(folder_.path() / "run" / "model");
  EXPECT_NE(after.model.config.vae.scale, before.model.config.vae.scale);
  EXPECT_NE(after.model.config.vae.shift, before.model.config.vae.shift);
  EXPECT_GT(after.model.config.vae.scale, 0);
  EXPECT_EQ(hash_file(folder_.path() / "run" / "model" / "ema.safetensors"), hash_file(model_ / "ema.safetensors"));
  EXPECT_NE(hash_file(folder_.path() / "run" / "model" / "ae.safetensors"), hash_file(model_ / "ae.safetensors"));
}

TEST_F(AutoencoderRunTest, StopsAtNonFiniteGradients) {
  ModelFolder broken = load_model_folder(model_);
  broken.model.autoencoder.decoder.conv_in.weight.view({-1})[0] = INFINITY;
  save_model_folder(model_, broken.model, model_, /*compact=*/false);
  expect_error([&] { train_autoencoder(recipe("run")); }, ExitCode::numerics, {"autoencoder step 1"});
}

}  // namespace
}  // namespace diptych
