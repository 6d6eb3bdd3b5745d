#pragma once
// One JSON object of a model folder's configuration, and its values with their ranges. A key that is null counts as
// absent throughout, as in the libraries that write such files.

#include <cstdint>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace diptych {

struct ConfigObject {
  std::filesystem::path file;
  std::string prefix;  // of keys in errors: "vae_config." for a nested object
  nlohmann::json values;
};

/** The numbers that a key may have: above or from `low`, up to `high`. */
struct NumberRange {
  double low = 0;
  double high = 0;
  bool from_low = false;  // `low` itself is allowed
};

/** Throws Error(model) that names file and key. */
[[noreturn]] void refuse_key(const ConfigObject& object, const std::string& key, const std::string& expected,
                             const std::string& got);

/** The object of a file, which must be there. Throws Error(model), with the line where it is no JSON. */
ConfigObject open_config(const std::filesystem::path& file);

/** A nested object; an empty one if it is absent. */
ConfigObject nested(const ConfigObject& object, const std::string& key);

/** The value of a key, or null. */
const nlohmann::json& value_of(const ConfigObject& object, const std::string& key);

/** Sets `value` to that of the key, or leaves it where the key is absent. Throws Error(model) that names file, key and
 *  value for another type and for numbers out of range; sizes are integers from 1 to 2^20, beyond which the model would
 *  exceed every memory. */
void read_key(const ConfigObject& object, const std::string& key, int64_t& value);
void read_key(const ConfigObject& object, const std::string& key, double& value, const NumberRange& range);
void read_key(const ConfigObject& object, const std::string& key, bool& value);
void read_key(const ConfigObject& object, const std::string& key, std::vector<int64_t>& values);

/** A size that must be there. */
void require_key(const ConfigObject& object, const std::string& key, int64_t& value);

}  // namespace diptych
