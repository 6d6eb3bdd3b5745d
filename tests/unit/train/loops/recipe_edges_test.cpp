// Every number of every recipe at its edges and beyond: refused by name, or a recipe that can be checked.
#include "diptych/tensor/torch.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <set>
#include <sstream>

#include "diptych/base/error.h"
#include "diptych/base/text_format.h"
#include "diptych/model/folder/model_recipe.h"
#include "diptych/train/check/check_recipe.h"
#include "diptych/train/evaluate/evaluation_run.h"
#include "diptych/train/loops/autoencoder_training.h"
#include "diptych/train/loops/sft.h"

namespace diptych {
namespace {

struct NumberKey {
  std::string name;  // section.name
  bool is_integer = false;
  bool has_range = false;
  std::string low = {}, high = {};              // as they stand in a recipe
  std::string below_low = {}, above_high = {};  // the nearest numbers outside
};

std::string text_of(double value) {
  std::ostringstream text;
  text.precision(17);
  text << value;
  return text.str();
}

NumberKey double_key(const std::string& name, const ConfigField::Limits& limits) {
  const auto* range = std::get_if<ConfigRange<double>>(&limits);
  if (range == nullptr) return {name, false};
  const double infinity = std::numeric_limits<double>::infinity();
  return {name,
          false,
          true,
          text_of(range->low),
          text_of(range->high),
          text_of(std::nextafter(range->low, -infinity)),
          text_of(std::nextafter(range->high, infinity))};
}

NumberKey integer_key(const std::string& name, const ConfigField::Limits& limits) {
  const auto* range = std::get_if<ConfigRange<int64_t>>(&limits);
  if (range == nullptr) return {name, true};
  const auto [low, high] = *range;
  return {name,
          true,
          true,
          cat(low),
          cat(high),
          low == INT64_MIN ? "-1e30" : cat(low - 1),
          high == INT64_MAX ? "9223372036854775808" : cat(high + 1)};
}

/** Collects the numbers of a recipe, and the names of its lists. */
class NumberKeys : public ConfigFields {
 public:
  std::vector<NumberKey> keys;
  std::vector<std::string> lists;  // their names

 private:
  void field(const ConfigField& field) override {
    const std::string name = cat(join(path_, "."), path_.empty() ? "" : ".", field.name);
    if (std::holds_alternative<int64_t*>(field.value)) {
      keys.push_back(integer_key(name, field.limits));
    } else if (std::holds_alternative<double*>(field.value)) {
      keys.push_back(double_key(name, field.limits));
    } else if (!std::holds_alternative<bool*>(field.value) && !std::holds_alternative<std::string*>(field.value)) {
      lists.push_back(name);
    }
  }
  void enter(std::string_view section) override { path_.emplace_back(section); }
  void leave() override { path_.pop_back(); }

  std::vector<std::string> path_;
};

/** What is checked of a recipe before a model is read. */
void check(const RlRecipe& recipe) {
  checked_recipe(recipe);
  recipe_warnings(recipe);
  learning_rate_scale(recipe.optimizer, 0, 0, std::max<int64_t>(recipe.train.steps, 1));
}
void check(const SftRecipe& recipe) {
  checked_recipe(recipe);
}
void check(const AutoencoderRecipe&) {}
void check(const EvaluationRecipe& recipe) {
  check_evaluation(recipe.eval, recipe.rollout, recipe.reward);
  episode_options(recipe.rollout, recipe.eval.updates);
}
void check(const ModelRecipe&) {}

/** The error that the recipe ends with; empty if it is one. */
template <class Recipe>
std::string error_with(const std::string& key, const std::string& value) {
  Recipe recipe;
  if constexpr (requires { recipe.rollout; }) recipe.rollout.image_size = 32;
  if constexpr (requires { recipe.prompts; }) recipe.prompts.per_step = 1000000;
  try {
    check(override_config(recipe, {key + "=" + value}));
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ExitCode::config) << key << "=" << value << ": " << error.what();
    return error.what();
  }
  return {};
}

template <class Recipe>
void expect_checked_numbers(const std::set<std::string>& without_range) {
  NumberKeys numbers;
  Recipe recipe;
  visit(numbers, recipe);
  ASSERT_FALSE(numbers.keys.empty());
  for (const NumberKey& key : numbers.keys) {
    EXPECT_EQ(key.has_range, !without_range.contains(key.name)) << key.name;
    std::vector<std::string> refused = {"nan", "inf", "-inf", "\"1\"", "true", "[1]"};
    if (key.is_integer) refused.insert(refused.end(), {"1.5", "1e3", "9223372036854775808", "-9223372036854775809"});
    if (key.has_range) refused.insert(refused.end(), {key.below_low, key.above_high});
    for (const std::string& value : refused)
      EXPECT_NE(error_with<Recipe>(key.name, value).find(key.name), std::string::npos) << key.name << "=" << value;
    for (const std::string& value : {key.low, key.high}) {
      if (value.empty()) continue;
      // In range; another key may rule it out, which is named, too.
      const std::string error = error_with<Recipe>(key.name, value);
      EXPECT_EQ(error.find("a number from"), std::string::npos) << error;
      EXPECT_EQ(error.find("an integer from"), std::string::npos) << error;
      const auto is_named = [&](const std::string& name) { return error.find(name) != std::string::npos; };
      EXPECT_TRUE(error.empty() || std::ranges::any_of(numbers.keys, is_named, &NumberKey::name) ||
                  std::ranges::any_of(numbers.lists, is_named))
          << error;
    }
  }
}

TEST(RecipeEdgesTest, EveryNumberHasARangeThatIsKept) {
  expect_checked_numbers<RlRecipe>({"eval.seed"});
  expect_checked_numbers<SftRecipe>({"eval.seed"});
  expect_checked_numbers<AutoencoderRecipe>({});
  expect_checked_numbers<EvaluationRecipe>({"eval.seed"});
  expect_checked_numbers<ModelRecipe>({"seed"});
}

TEST(CheckedSupervisedRecipeTest, SomeLossMustHaveAWeight) {
  SftRecipe recipe;
  recipe.rollout.image_size = 32;
  EXPECT_NO_THROW(checked_recipe(recipe));
  recipe.train.flow_weight = 0;
  EXPECT_NO_THROW(checked_recipe(recipe));
  recipe.train.cross_entropy_weight = 0;
  EXPECT_THROW(checked_recipe(recipe), Error);
}

}  // namespace
}  // namespace diptych
