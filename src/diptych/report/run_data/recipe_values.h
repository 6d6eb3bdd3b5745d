#pragma once
// The recipe of a run as plain values, whatever kind of recipe it is.

#include <filesystem>
#include <map>
#include <string>

namespace diptych {

/** Values by full key, such as "train.steps". Strings stand without quotes, everything else as TOML writes it. */
using RecipeValues = std::map<std::string, std::string>;

/** Throws Error(config) with file and line for a text that is no TOML. */
RecipeValues parse_recipe_values(const std::string& toml, const std::string& file_name);

/** The number under a key, or `otherwise` where the recipe has no number there. */
double recipe_number(const RecipeValues& recipe, const std::string& key, double otherwise);

/** The text under a key, or "". */
std::string recipe_text(const RecipeValues& recipe, const std::string& key);

}  // namespace diptych
