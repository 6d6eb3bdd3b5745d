#include <cassert>
#include <set>

#include "diptych/base/config/config.h"
#include "diptych/base/config/config_entries.h"
#include "diptych/base/config/config_override.h"
#include "diptych/base/config/config_value.h"
#include "diptych/base/config/key_hint.h"
#include "diptych/base/error.h"
#include "diptych/base/nearest_name.h"
#include "diptych/base/text_format.h"

namespace diptych {

namespace {

constexpr std::string_view kQuotes = "\"'";     // first characters of strings
constexpr std::string_view kOpening = "[{\"'";  // and of lists and tables

}  // namespace

struct ConfigReader::State {
  ConfigEntries entries;
  std::vector<std::string> path;
  std::set<std::string> fields;
  std::set<std::string> sections;
  bool trusts_values = false;

  std::string full_key(std::string_view name) const {
    std::string key;
    for (const std::string& part : path) key += part + ".";
    return key + std::string(name);
  }

  /** The entry of a field of the current section, null if no file and no override has it. */
  const ConfigEntry* find(std::string_view name) {
    const std::string key = full_key(name);
    const bool is_new = fields.insert(key).second;
    assert(is_new && "two fields share a key");
    static_cast<void>(is_new);
    const auto found = entries.find(key);
    return found == entries.end() ? nullptr : &found->second;
  }
};

ConfigReader::ConfigReader(const std::filesystem::path& file, const std::vector<std::string>& overrides)
    : state_(std::make_unique<State>()) {
  state_->entries = read_config_entries(file, overrides);
}

ConfigReader::ConfigReader(const std::vector<std::string>& overrides) : state_(std::make_unique<State>()) {
  for (const std::string& text : overrides) apply_override(text, state_->entries);
}

ConfigReader::ConfigReader(const ConfigText& text) : state_(std::make_unique<State>()) {
  state_->entries = parse_config_entries(text);
}

ConfigReader::~ConfigReader() = default;

void ConfigReader::field(const ConfigField& field) {
  const ConfigEntry* entry = state_->find(field.name);
  if (entry == nullptr) return;
  std::string* const* text = std::get_if<std::string*>(&field.value);
  refuse_broken_value(*entry, text != nullptr ? kQuotes : kOpening);
  const std::string where = cat(entry->where, ": ", state_->full_key(field.name));
  // On the command line a folder may be called 2026, true or [new] without quotes inside quotes.
  if (text != nullptr && entry->text && !entry->node->is_string())
    **text = *entry->text;
  else
    read_toml(*entry->node, where, field.value);
  if (!state_->trusts_values) check_limits(field, where);
}

void ConfigReader::enter(std::string_view name) {
  state_->sections.insert(state_->full_key(name));
  state_->path.emplace_back(name);
}

void ConfigReader::leave() {
  state_->path.pop_back();
}

void ConfigReader::trust_values() {
  state_->trusts_values = true;
}

std::vector<std::string> ConfigReader::unread() const {
  std::vector<std::string> keys;
  for (const auto& [key, entry] : state_->entries)
    if (!state_->fields.contains(key) && !entry.node->is_table()) keys.push_back(key);
  return keys;
}

void ConfigReader::finish() {
  for (const auto& [key, entry] : state_->entries) {
    if (state_->fields.contains(key)) continue;
    const bool is_table = entry.node->is_table();
    if (!state_->sections.contains(key)) {
      // Of an unknown table with content, the keys inside are the more telling report.
      if (is_table && !entry.node->as_table()->empty()) continue;
      throw Error(ExitCode::config,
                  {entry.where, is_table ? "a known section" : "a known key", cat("unknown '", key, "'"),
                   is_table ? did_you_mean(key, state_->sections) : hint_at_keys(key, state_->fields)});
    }
    refuse_broken_value(entry, kOpening);
    if (!is_table)
      throw Error(ExitCode::config,
                  {cat(entry.where, ": ", key), cat("the section [", key, "]"), described_toml(*entry.node), ""});
  }
}

}  // namespace diptych
