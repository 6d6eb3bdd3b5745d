#pragma once
// Hints for recipe keys that do not exist.

#include <set>
#include <string>
#include <string_view>

namespace diptych {

/** What to write instead of an unknown key such as "train.lr", of the `known` ones: what other trainers call "lr",
 *  "beta" or "batch_size", or else the most similar name of its own section, of others only if there is none. Where
 *  nothing resembles it: how to see the keys. */
std::string hint_at_keys(std::string_view key, const std::set<std::string>& known);

}  // namespace diptych
