#include "diptych/base/config/config_layers.h"

#include "diptych/base/config/config_entries.h"

namespace diptych {

bool is_set_along_with(const std::filesystem::path& file, const std::vector<std::string>& overrides,
                       const std::string& key, const std::string& other) {
  const ConfigEntries entries = read_config_entries(file, overrides);
  const auto found = entries.find(key);
  const auto beside = entries.find(other);
  return found != entries.end() && (beside == entries.end() || found->second.depth <= beside->second.depth);
}

}  // namespace diptych
