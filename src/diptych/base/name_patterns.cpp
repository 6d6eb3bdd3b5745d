#include "diptych/base/name_patterns.h"

#include <fnmatch.h>

#include <algorithm>

#include "diptych/base/error.h"

namespace diptych {

namespace {

bool matches(const std::string& name, const std::string& pattern) {
  return ::fnmatch(pattern.c_str(), name.c_str(), 0) == 0;
}

}  // namespace

std::vector<size_t> matching_names(const std::vector<std::string>& names, const std::vector<std::string>& patterns,
                                   const std::string& key) {
  for (const std::string& pattern : patterns) {
    const auto fits = [&](const std::string& name) { return matches(name, pattern); };
    if (pattern.starts_with("!") || std::any_of(names.begin(), names.end(), fits)) continue;
    throw Error(ExitCode::config, {key, "patterns that match names of weights", "'" + pattern + "' matches none",
                                   names.empty() ? "" : "a name is for example " + names.front()});
  }
  std::vector<size_t> places;
  for (size_t i = 0; i < names.size(); ++i) {
    bool chosen = false;
    bool excluded = false;
    for (const std::string& pattern : patterns) {
      if (pattern.starts_with("!"))
        excluded = excluded || matches(names[i], pattern.substr(1));
      else
        chosen = chosen || matches(names[i], pattern);
    }
    if (chosen && !excluded) places.push_back(i);
  }
  return places;
}

}  // namespace diptych
