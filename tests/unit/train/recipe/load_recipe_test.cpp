#include "diptych/train/recipe/load_recipe.h"

#include <gtest/gtest.h>

#include <fstream>

#include "diptych/eval/benchmarks/benchmarks.h"
#include "diptych/train/check/check_recipe.h"
#include "support/temporary_folder.h"

namespace diptych {
namespace {

class LoadRecipe : public ::testing::Test {
 protected:
  LoadRecipe() { write("world.toml", "[eval]\nprompts = 512\nedits = 7\n"); }
  void write(const std::string& name, const std::string& text) const { std::ofstream(folder_.path() / name) << text; }
  /** eval.prompts and eval.edits of the recipe. */
  std::vector<int64_t> evaluated(const std::string& name, const std::vector<std::string>& overrides = {}) const {
    const RlRecipe recipe = load_rl_recipe(folder_.path() / name, overrides);
    return {recipe.eval.prompts, recipe.eval.edits};
  }
  using Numbers = std::vector<int64_t>;
  const TemporaryFolder folder_;
};

TEST_F(LoadRecipe, ShapesPromptsAreEvaluatedOnTheShapesWorld) {
  write("empty.toml", "");
  EXPECT_EQ(evaluated("empty.toml"), (Numbers{128, 0}));
  EXPECT_EQ(evaluated("world.toml"), (Numbers{512, 7}));
  EXPECT_EQ(evaluated("world.toml", {"prompts.source=shapes_edits"}), (Numbers{512, 7}));
}

TEST_F(LoadRecipe, OwnPromptsAreNotUnlessSomebodyAsksForIt) {
  EXPECT_EQ(evaluated("world.toml", {"prompts.source=file"}), (Numbers{0, 0}));
  EXPECT_EQ(evaluated("world.toml", {"prompts.source=file", "eval.prompts=4"}), (Numbers{4, 0}));
  write("mine.toml", "base = \"world.toml\"\n[prompts]\nsource = \"file\"\n");
  EXPECT_EQ(evaluated("mine.toml"), (Numbers{0, 0}));
  EXPECT_EQ(evaluated("mine.toml", {"eval.edits=3"}), (Numbers{0, 3}));
  EXPECT_EQ(evaluated("mine.toml", {"prompts={source=\"shapes\"}"}), (Numbers{512, 7}));
  write("asks.toml", "base = \"world.toml\"\n[eval]\nprompts = 16\n[prompts]\nsource = \"file\"\n");
  EXPECT_EQ(evaluated("asks.toml"), (Numbers{16, 0}));
  write("asks_later.toml", "base = \"mine.toml\"\n[eval]\nprompts = 8\n");
  EXPECT_EQ(evaluated("asks_later.toml"), (Numbers{8, 0}));
}

TEST_F(LoadRecipe, TheRecipeOfARunIsReadBackAsItIs) {
  RlRecipe recipe = load_rl_recipe(folder_.path() / "world.toml", {"prompts.source=file", "eval.edits=3"});
  write("again.toml", print_config(recipe));
  EXPECT_EQ(evaluated("again.toml"), (Numbers{0, 3}));
}

TEST_F(LoadRecipe, ItWarnsOfWhatTheEvaluationsCost) {
  const std::vector<std::string> asked = {"prompts.source=file", "eval.prompts=4", "train.steps=10", "eval.every=4"};
  RlRecipe recipe = load_rl_recipe(folder_.path() / "world.toml", asked);
  recipe.reward.kind = "command";
  recipe.reward.terms = {"viescore:0.5", "judge_holistic:1"};
  const std::vector<std::string> warnings = recipe_warnings(recipe);
  ASSERT_EQ(warnings.size(), 1u);
  EXPECT_NE(warnings[0].find("4 times (before, after, and every eval.every steps) 8 pictures and 24 requests to the "
                             "judge and 8 requests to reward.command.program"),
            std::string::npos)
      << warnings[0];
  recipe.reward.kind = "dvreward";
  recipe.reward.terms = {};
  const EvaluationCost cost = evaluation_on_shapes_cost(recipe.eval, recipe.rollout, recipe.reward);
  EXPECT_GT(cost.judge_requests, 2 * 8);
  EXPECT_EQ(cost.program_requests, 0);
  EXPECT_EQ(cost.pictures, 8);
  recipe.eval.prompts = 0;
  EXPECT_TRUE(recipe_warnings(recipe).empty());
  recipe.prompts.source = "shapes";
  recipe.eval.prompts = 4;
  EXPECT_TRUE(recipe_warnings(recipe).empty());
}

}  // namespace
}  // namespace diptych
