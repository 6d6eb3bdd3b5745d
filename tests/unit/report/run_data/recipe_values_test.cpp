#include "diptych/report/run_data/recipe_values.h"

#include <gtest/gtest.h>

#include "support/expect_error.h"

namespace diptych {
namespace {

TEST(RecipeValuesTest, KeysAreFullAndValuesAreAsWritten) {
  const RecipeValues values = parse_recipe_values(
      "kind = \"rl\"\n[train]\nsteps = 400\nrate = 6e-05\nweight = 0.4\non = true\n[rollout.guidance]\ninterval = "
      "[0.4, 1.0]\n"
      "names = [\"a\", \"b\"]\n",
      "recipe.toml");
  EXPECT_EQ(values, (RecipeValues{{"kind", "rl"},
                                  {"train.steps", "400"},
                                  {"train.rate", "6e-05"},
                                  {"train.weight", "0.4"},
                                  {"train.on", "true"},
                                  {"rollout.guidance.interval", "[0.4, 1]"},
                                  {"rollout.guidance.names", "[a, b]"}}));
}

TEST(RecipeValuesTest, NumbersAndTextsHaveSubstitutes) {
  const RecipeValues values = {{"a", "1.5"}, {"b", "text"}};
  EXPECT_EQ(recipe_number(values, "a", 7), 1.5);
  EXPECT_EQ(recipe_number(values, "b", 7), 7);
  EXPECT_EQ(recipe_number(values, "c", 7), 7);
  EXPECT_EQ(recipe_text(values, "b"), "text");
  EXPECT_EQ(recipe_text(values, "c"), "");
}

TEST(RecipeValuesTest, AFaultHasItsLine) {
  expect_error([] { parse_recipe_values("a = 1\nb = = 2\n", "recipe.toml"); }, ExitCode::config, {"recipe.toml:2"});
}

}  // namespace
}  // namespace diptych
