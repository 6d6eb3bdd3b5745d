#pragma once
// Reading JSON that others wrote.

#include <cstddef>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <string_view>

namespace diptych {

/** Why a text is no JSON. */
struct JsonFault {
  size_t byte = 0;  // of the text, from 1; 0 for a number too large for a double
  std::string message;
};

/** The value of a JSON text, or nothing and, where `fault` is given, the reason. Beyond what JSON itself forbids it
 *  refuses numbers too large for a double, and nesting deeper than 256: copying and printing a value recurse, so that a
 *  hundred thousand brackets would overflow the stack. */
std::optional<nlohmann::json> parse_json(std::string_view text, JsonFault* fault = nullptr);

}  // namespace diptych
