#pragma once
// Typed recipes: their fields (config_fields.h) from TOML and `key=value` overrides, and printed with their comments.
//
//   Recipe recipe = load_config<Recipe>("recipes/x.toml", {"run.seed=3"});
//   std::string text = print_config(recipe);

#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "diptych/base/config/config_fields.h"

namespace diptych {

/** A recipe in memory, such as one that was printed. `name` stands for it in messages. */
struct ConfigText {
  std::string text;
  std::string name;
};

/** Reads fields from a TOML file and overrides. Keys are `section.name`. Throws Error(config) with file, line and the
 *  nearest known name for an unknown key, and with the expected type for a wrong one.
 *  A top-level `base = "other.toml"` (relative to the file that says so) names a recipe that is read first; bases may
 *  chain, a cycle is an error. An override is `section.name=value` with a TOML value, or for a string the text as
 *  it is, whatever else it reads as; it beats every file. An integer is accepted where a double is asked, never the
 *  reverse. */
class ConfigReader : public ConfigFields {
 public:
  ConfigReader(const std::filesystem::path& file, const std::vector<std::string>& overrides);
  /** Reads overrides alone: fields without one keep their values. */
  explicit ConfigReader(const std::vector<std::string>& overrides);
  /** Reads a text, in which `base` means nothing. */
  explicit ConfigReader(const ConfigText& text);
  ~ConfigReader() override;

  /** From here on ranges and choices do not count: for what another version of the program printed, which had its own.
   */
  void trust_values();
  /** Throws if the file or an override holds a key that no field read. Call it last. */
  void finish();
  /** The keys that no field read, instead of that. */
  std::vector<std::string> unread() const;

 private:
  void field(const ConfigField& field) override;
  void enter(std::string_view name) override;
  void leave() override;
  struct State;
  std::unique_ptr<State> state_;
};

/** A field as it was printed. */
struct ConfigKey {
  std::string name;                // section.name
  std::string value;               // as TOML
  std::vector<std::string> words;  // of a text, or a list of texts
  Change change = Change::refused;
};

/** Prints fields as commented TOML that ConfigReader reads back to equal values. Fields of a section come out before
 *  its sub-sections, as TOML demands, in whatever order they are visited. A comment ends with what a run that continues
 *  may do with the key: [free], [recorded]; nothing where it may not change. */
class ConfigPrinter : public ConfigFields {
 public:
  const std::string& text() const { return text_; }
  /** In the order in which they were visited. */
  const std::vector<ConfigKey>& keys() const { return keys_; }

 private:
  void field(const ConfigField& field) override;
  void enter(std::string_view name) override;
  void leave() override;
  std::string text_;
  std::vector<ConfigKey> keys_;
  std::vector<std::string> path_;
  std::vector<size_t> field_end_{0};  // for each open section: offset in text_ where its next field goes
};

template <class Config>
Config load_config(const std::filesystem::path& file, const std::vector<std::string>& overrides) {
  Config config;
  ConfigReader reader(file, overrides);
  visit(reader, config);
  reader.finish();
  return config;
}

/** A config that is already there, with overrides. */
template <class Config>
Config override_config(Config config, const std::vector<std::string>& overrides) {
  ConfigReader reader(overrides);
  visit(reader, config);
  reader.finish();
  return config;
}

template <class Config>
std::string print_config(Config config) {
  ConfigPrinter printer;
  visit(printer, config);
  return printer.text();
}

template <class Config>
std::vector<ConfigKey> config_keys(Config config) {
  ConfigPrinter printer;
  visit(printer, config);
  return printer.keys();
}

}  // namespace diptych
