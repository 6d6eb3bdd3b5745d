#pragma once
// Where the keys of a recipe were set.

#include <filesystem>
#include <string>
#include <vector>

namespace diptych {

/** Whether `key` is set by whoever set `other`, or later: in the same file of the recipe's chain of bases, in one that
 *  has it as a base, or by an override. A key that only a base of theirs sets spoke of another value of `other`. True
 * if `key` is set and `other` nowhere. Throws what ConfigReader throws for files that cannot be read. */
bool is_set_along_with(const std::filesystem::path& file, const std::vector<std::string>& overrides,
                       const std::string& key, const std::string& other);

}  // namespace diptych
