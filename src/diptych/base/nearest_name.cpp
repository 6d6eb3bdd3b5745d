#include "diptych/base/nearest_name.h"

#include <algorithm>
#include <vector>

#include "diptych/base/text_format.h"

namespace diptych {

namespace {

constexpr size_t kLongestName = 200;  // the distance takes time with the length, and what is longer is no typing error

size_t edit_distance(std::string_view left, std::string_view right) {
  std::vector<size_t> row(right.size() + 1);
  for (size_t j = 0; j <= right.size(); ++j) row[j] = j;
  for (size_t i = 1; i <= left.size(); ++i) {
    size_t diagonal = row[0];
    row[0] = i;
    for (size_t j = 1; j <= right.size(); ++j) {
      const size_t substituted = diagonal + (left[i - 1] != right[j - 1]);
      diagonal = row[j];
      row[j] = std::min({substituted, row[j] + 1, row[j - 1] + 1});
    }
  }
  return row.back();
}

/** `known` holds a name. */
const std::string& nearest_name(std::string_view name, const std::set<std::string>& known) {
  return *std::min_element(known.begin(), known.end(), [&](const std::string& a, const std::string& b) {
    return edit_distance(name, a) < edit_distance(name, b);
  });
}

}  // namespace

std::string did_you_mean(std::string_view name, const std::set<std::string>& known) {
  if (known.empty() || name.size() > kLongestName) return "";
  return cat("did you mean '", nearest_name(name, known), "'?");
}

std::optional<std::string> similar_name(std::string_view name, const std::set<std::string>& known) {
  if (known.empty() || name.size() > kLongestName) return std::nullopt;
  const std::string& nearest = nearest_name(name, known);
  if (2 * edit_distance(name, nearest) > std::max(name.size(), nearest.size())) return std::nullopt;
  return nearest;
}

}  // namespace diptych
