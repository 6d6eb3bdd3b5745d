#pragma once
// Overrides of a recipe's values: texts such as `train.steps=3`, most of them from a command line.

#include <string>
#include <string_view>

#include "diptych/base/config/config_entries.h"

namespace diptych {

/** Puts `section.name=value` into the entries. The value is TOML, or else the text itself as a string. Throws
 *  Error(config) for a text without key or '=', or whose value no recipe can hold. */
void apply_override(const std::string& text, ConfigEntries& entries);

/** Throws Error(config) for an override that begins like a TOML value and is none: a mistake with brackets, or with the
 *  quotes of the shell. `first_characters`: with which such a value may begin. */
void refuse_broken_value(const ConfigEntry& entry, std::string_view first_characters);

}  // namespace diptych
