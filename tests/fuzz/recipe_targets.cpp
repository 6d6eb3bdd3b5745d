#include "diptych/tensor/torch.h"

#include "diptych/base/config/config.h"
#include "diptych/train/recipe/rl_config.h"
#include "diptych/train/run/recipe_changes.h"
#include "fuzz/target.h"

namespace diptych::fuzz {

namespace {

/** What was read, printed, must read back as the same. */
void check_round_trip(const RlRecipe& recipe) {
  const std::string printed = print_config(recipe);
  const auto again = load_config<RlRecipe>(scratch_file("printed.toml", printed), {});
  require(print_config(again) == printed, "a recipe that reads back differently");
}

void read_recipe_file(std::span<const std::byte> bytes) {
  const auto recipe = load_config<RlRecipe>(scratch_file("input.toml", bytes), {});
  check_round_trip(recipe);
  static_cast<void>(needs_judge(recipe.reward));
  check_judge_config(recipe.reward.judge);
}

/** Each line is an override. */
void read_overrides(std::span<const std::byte> bytes) {
  std::vector<std::string> overrides;
  std::string_view rest = as_text(bytes);
  while (!rest.empty()) {
    const size_t end = std::min(rest.find('\n'), rest.size());
    overrides.emplace_back(rest.substr(0, end));
    rest.remove_prefix(std::min(end + 1, rest.size()));
  }
  check_round_trip(load_config<RlRecipe>(scratch_file("empty.toml", ""), overrides));
}

/** A recipe that another version stored. */
void compare_recipes(std::span<const std::byte> bytes) {
  static const RunRecipe now = run_recipe(RlRecipe(), "rl");
  std::vector<std::string> unread;
  const std::vector<ConfigKey> keys = now.keys_of({std::string(as_text(bytes)), "stored.toml"}, unread);
  static_cast<void>(change_text(recipe_changes(keys, now.keys)));
  require(recipe_changes(keys, keys).empty(), "a recipe that differs from itself");
  const std::vector<ConfigKey> again = now.keys_of(recipe_of(kept_values(keys), "kept"), unread);
  require(recipe_changes(again, keys).empty(), "kept values that read back differently");
}

const std::vector<std::string_view> kTomlWords = {"base = \"",
                                                  "[train]\n",
                                                  "[rollout.guidance]\n",
                                                  "[[train]]\n",
                                                  "steps = ",
                                                  "nan",
                                                  "inf",
                                                  "-inf",
                                                  "0x",
                                                  "0b1",
                                                  "'''",
                                                  "\"\"\"",
                                                  "1979-05-27T07:32:00Z",
                                                  "1979-05-27",
                                                  "a.b.",
                                                  "= {",
                                                  "= [",
                                                  "#",
                                                  "\\u0000",
                                                  "\\UFFFFFFFF",
                                                  "1_0",
                                                  "run.dir = 1",
                                                  "\"run.dir\" = 1",
                                                  "kind",
                                                  "reward.kind",
                                                  "\"format_think:0.5\"",
                                                  "http://",
                                                  "extra_body",
                                                  "'{}'"};

}  // namespace

std::vector<Target> recipe_targets() {
  return {{.name = "recipe", .read = read_recipe_file, .words = kTomlWords},
          {.name = "recipe_overrides", .read = read_overrides, .words = kTomlWords},
          {.name = "stored_recipe", .read = compare_recipes, .words = kTomlWords}};
}

}  // namespace diptych::fuzz
