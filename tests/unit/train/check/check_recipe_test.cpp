#include "diptych/tensor/torch.h"

#include "diptych/train/check/check_recipe.h"

#include <gtest/gtest.h>

#include "diptych/base/error.h"
#include "diptych/base/text_format.h"

namespace diptych {
namespace {

/** A recipe that is checked with these overrides, and what the error must name; nothing: it trains. */
void expect_checked(const std::vector<std::string>& overrides, const std::vector<std::string>& named) {
  std::vector<std::string> all = {"rollout.image_size=32"};
  all.insert(all.end(), overrides.begin(), overrides.end());
  try {
    checked_recipe(override_config(RlRecipe(), all));
    EXPECT_TRUE(named.empty()) << join(overrides, " ");
  } catch (const Error& error) {
    EXPECT_FALSE(named.empty()) << error.what();
    for (const std::string& part : named)
      EXPECT_NE(std::string(error.what()).find(part), std::string::npos) << part << " missing in: " << error.what();
  }
}

TEST(CheckedRecipeTest, NoiseIsNeededByWhatDividesByIt) {
  expect_checked({"rollout.noise_level=0"}, {"rollout.noise_level", "train.image_weight = 0"});
  expect_checked({"rollout.noise_level=0", "train.image_weight=0"}, {});
  expect_checked({"rollout.noise_level=1e-9"}, {"rollout.noise_level", "0.001"});
  expect_checked({"rollout.noise_level=1e-9", "train.image_weight=0"}, {"rollout.noise_level", "0, or at least"});
  expect_checked({"rollout.noise_level=1e-3"}, {});
  expect_checked({"rollout.noise_level=0", "train.image_weight=0", "train.latent_kl_weight=1"},
                 {"rollout.noise_level", "train.latent_kl_weight = 0"});
}

TEST(CheckedRecipeTest, TheImageClipIsTheUnitOfWhateverNeedsVelocities) {
  const std::vector<std::string> none = {"train.image_clip_low=0", "train.image_clip_high=0", "train.image_weight=0"};
  expect_checked(none, {"train.image_clip_low"});
  std::vector<std::string> texts = none;
  texts.emplace_back("train.velocity_mse_weight=0");
  expect_checked(texts, {});
}

TEST(CheckedRecipeTest, AdaptersOfFactorZeroNeverLearn) {
  expect_checked({"lora.alpha=0"}, {});
  expect_checked({"lora.rank=4", "lora.alpha=0"}, {"lora.alpha"});
}

TEST(CheckedRecipeTest, NoiseThatOverturnsTheLatentIsWarnedOf) {
  const auto warnings = [](const std::vector<std::string>& overrides) {
    return recipe_warnings(override_config(RlRecipe(), overrides));
  };
  EXPECT_TRUE(warnings({}).empty());
  EXPECT_TRUE(warnings({"rollout.noise_level=1.3"}).empty());
  ASSERT_EQ(warnings({"rollout.noise_level=1.5"}).size(), 1u);  // the first step takes a^2 / 2 of the latent away
  EXPECT_NE(warnings({"rollout.noise_level=1.5"})[0].find("step 0"), std::string::npos);
  ASSERT_EQ(warnings({"rollout.window_range=[22,25]", "rollout.timestep_shift=100"}).size(), 1u);
  EXPECT_NE(warnings({"rollout.window_range=[22,25]", "rollout.timestep_shift=100"})[0].find("noise_level"),
            std::string::npos);
}

TEST(CheckedRecipeTest, EpisodesThatEditNeedPromptsWithPictures) {
  expect_checked({"rollout.episode=edit", "prompts.source=shapes_edits", "reward.kind=shapes_edit", "eval.prompts=0"},
                 {});
  for (const char* episode : {"edit", "edit_think"})
    expect_checked({cat("rollout.episode=", episode)},
                   {"prompts.source: expected \"shapes_edits\", whose prompts come with an image to edit"});
  for (const char* episode : {"t2i", "think", "reflect", "review", "rounds:2"})
    expect_checked({cat("rollout.episode=", episode), "prompts.source=shapes_edits"},
                   {cat("prompts.source: expected prompts for episode ", episode)});
}

TEST(CheckedRecipeTest, EpisodesThatAreNotTrainedAreRefused) {
  expect_checked({"rollout.episode=understand"}, {"rollout.episode", "an episode that paints"});
  expect_checked({"rollout.episode=review"}, {"rollout.episode", "reflect or rounds:N", "a review by itself"});
}

TEST(CheckedRecipeTest, TermsAreNormalisedWhereRewardsArePlainScores) {
  const std::string each = "train.normalise_each_reward=true";
  expect_checked({each}, {});
  for (const char* episode : {"reflect", "rounds:2"}) {
    expect_checked({cat("rollout.episode=", episode)}, {});
    expect_checked({cat("rollout.episode=", episode), each},
                   {"train.normalise_each_reward", cat("false for ", episode, ", whose rewards are not plain scores")});
  }
}

TEST(CheckedRecipeTest, SectionsCheckThemselves) {
  expect_checked({"lora.rank=4", "lora.targets=[]"}, {"lora.targets"});
  expect_checked({"train.und_learning_rate=0", "train.image_weight=0"}, {"train.und_learning_rate"});
  expect_checked({"rollout.guidance.interval=[1, 0]"}, {"rollout.guidance.interval"});
  expect_checked({"rollout.window_range=[3, 1]"}, {"rollout.window_range"});
}

TEST(CheckedRecipeTest, DealtWeightsAreRecomputedAndHaveNoAdapters) {
  expect_checked({"train.shard_weights=true"}, {"train.recompute_layers", "train.shard_weights asks for it"});
  expect_checked({"train.shard_weights=true", "train.recompute_layers=true"}, {});
  expect_checked({"train.shard_weights=true", "train.recompute_layers=true", "lora.rank=4"}, {"lora.rank"});
}

}  // namespace
}  // namespace diptych
