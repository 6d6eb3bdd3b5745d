#pragma once
// What one comparison against a fixture folder found.

#include <cstdint>
#include <string>

namespace diptych {

enum class ItemStatus {
  passed,
  failed,
  absent,  // the folder does not hold the file
};

/** One item: usually all outputs of one fixture file. */
struct ItemResult {
  std::string item;
  ItemStatus status = ItemStatus::absent;
  int64_t values = 0;    // numbers compared
  double error = 0;      // of the value that came closest to its tolerance, or went furthest beyond
  double tolerance = 0;  // that this value had
  std::string where{};   // its key, and its index in the tensor
  std::string detail{};  // what else is wrong: keys that could not be compared, exceptions
};

}  // namespace diptych
