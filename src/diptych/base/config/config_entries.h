#pragma once
// What the files and overrides of a recipe say, before any struct asks for it. Not for headers of this project: it
// reads parse_toml.h.

#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "diptych/base/config/config.h"
#include "diptych/base/config/parse_toml.h"

namespace diptych {

/** A value or a table of a recipe, found under its full key. */
struct ConfigEntry {
  std::shared_ptr<const toml::node> node;
  std::string where;                     // file:line, or the override
  size_t depth = 0;                      // 0: the override; 1: the recipe; 2: its base; ...
  std::optional<std::string> text = {};  // of an override, as it was given
  std::string fault = {};                // why that is no TOML value
};
using ConfigEntries = std::map<std::string, ConfigEntry>;

/** Of a recipe, its chain of bases, and overrides (config_override.h), which win. Throws Error(config) for a recipe
 * that cannot be read, is no TOML, or whose bases lead back to it. */
ConfigEntries read_config_entries(const std::filesystem::path& file, const std::vector<std::string>& overrides);

/** Of a text, in which `base` means nothing. Throws Error(config) for one that is no TOML. */
ConfigEntries parse_config_entries(const ConfigText& text);

/** Adds what a table and the tables inside say, in place of what `entries` has under the same keys. `where` tells the
 *  place of a node. */
void add_config_table(const std::shared_ptr<const toml::table>& table, size_t depth,
                      const std::function<std::string(const toml::node&)>& where, ConfigEntries& entries);

}  // namespace diptych
