#pragma once
// Values of recipes: from TOML, and held against what their fields allow. Not for headers of this project: it reads
// parse_toml.h.

#include <string>

#include "diptych/base/config/config_fields.h"
#include "diptych/base/config/parse_toml.h"

namespace diptych {

/** A node as messages call it, such as: the integer 3. */
std::string described_toml(const toml::node& node);

/** Sets `value` to that of the node. An integer passes as a double. Throws Error(config) that names `where` for another
 *  type, and for a list with a number that is not finite. */
void read_toml(const toml::node& node, const std::string& where, const ConfigField::Value& value);

/** Throws Error(config) that names `where` for a value outside the field's range or choices, and for a number without a
 *  range that is not finite. */
void check_limits(const ConfigField& field, const std::string& where);

}  // namespace diptych
