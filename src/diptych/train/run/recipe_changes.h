#pragma once
// The recipe of a run against the one that it was started with. Whether a key may change stands in its own line of the
// recipe (base/config/config.h, Change).

#include <functional>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "diptych/base/config/config.h"

namespace diptych {

/** A recipe of whatever kind. */
struct RunRecipe {
  std::string kind;
  std::string text;  // as printed
  std::vector<ConfigKey> keys;
  /** The keys of a recipe of this kind that some version of the program stored. Throws Error(config). */
  std::function<std::vector<ConfigKey>(const ConfigText& stored, std::vector<std::string>& unread)> keys_of;
};

template <class Recipe>
RunRecipe run_recipe(const Recipe& recipe, const std::string& kind) {
  return {.kind = kind,
          .text = print_config(recipe),
          .keys = config_keys(recipe),
          .keys_of = [](const ConfigText& stored, std::vector<std::string>& unread) {
            Recipe before;
            ConfigReader reader(stored);
            reader.trust_values();
            visit(reader, before);
            unread = reader.unread();
            return config_keys(before);
          }};
}

struct RecipeChange {
  std::string key;
  std::string before;
  std::string after;
  bool refused = false;

  std::string text() const;  // "key: before -> after"
};

/** What differs and is not free, in the order of `now`. Keys that name files are compared by changed_files(). */
std::vector<RecipeChange> recipe_changes(const std::vector<ConfigKey>& before, const std::vector<ConfigKey>& now);

/** Throws Error(config) where the stored recipe is of another kind, or none. */
void check_kind(const ConfigText& stored, const std::string& kind);

/** The keys of a stored recipe of the same kind. Those that it lacks have their defaults; a warning names those that
 * are no more. Throws Error(config) where it cannot be read. */
std::vector<ConfigKey> stored_keys(const ConfigText& stored, const RunRecipe& recipe);

/** Changes in one line, ten of them at most. */
std::string change_text(const std::vector<RecipeChange>& changes);

/** What the keys say that are not free: {"train.steps": "10"}. Part of a checkpoint. */
nlohmann::json kept_values(const std::vector<ConfigKey>& keys);
/** That as a recipe. */
ConfigText recipe_of(const nlohmann::json& kept, const std::string& name);

/** Value and content hash of the keys that name files: {"prompts.path": {"value": ..., "hash": ...}}. A word that is no
 *  file counts as it stands. Throws Error(io). */
nlohmann::json named_files(const std::vector<ConfigKey>& keys);
/** Keys whose files hold something else; one that `before` lacks counts as equal. */
std::vector<RecipeChange> changed_files(const nlohmann::json& before, const nlohmann::json& now);

}  // namespace diptych
