#pragma once
// Hints for misspelt names.

#include <optional>
#include <set>
#include <string>
#include <string_view>

namespace diptych {

/** "did you mean 'X'?" with the known name of the smallest Levenshtein distance; empty if no name is known, or if
 * `name` has more than 200 bytes. */
std::string did_you_mean(std::string_view name, const std::set<std::string>& known);

/** The known name of the smallest Levenshtein distance if at least half of the longer one's letters stay; none for more
 *  than 200 bytes. */
std::optional<std::string> similar_name(std::string_view name, const std::set<std::string>& known);

}  // namespace diptych
