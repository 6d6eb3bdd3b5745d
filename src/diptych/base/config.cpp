#include "diptych/base/config.h"
#include "diptych/base/config_layers.h"

#include <unistd.h>

#include <algorithm>
#include <cassert>
#include <cerrno>
#include <cmath>
#include <fstream>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <sstream>

#include "diptych/base/error.h"
#include "diptych/base/key_hint.h"
#include "diptych/base/nearest_name.h"
#include "diptych/base/parse_toml.h"
#include "diptych/base/text_format.h"

namespace diptych {

namespace {

namespace fs = std::filesystem;

/** A value or a table of a recipe, found under its full key. */
struct Entry {
  std::shared_ptr<const toml::node> node;
  std::string where;                     // file:line, or the override
  size_t depth = 0;                      // 0: the override; 1: the recipe; 2: its base; ...
  std::optional<std::string> text = {};  // of an override, as it was given
  std::string fault = {};                // why that is no TOML value
};
using Entries = std::map<std::string, Entry>;

[[noreturn]] void fail(const std::string& where, const std::string& expected, const std::string& got,
                       const std::string& hint = "") {
  throw Error(ExitCode::config, {where, expected, got, hint});
}

/** As it would stand in a file. Lists item by item: toml++ guesses their width, and converts NaN to an integer for it.
 */
std::string written(const toml::node& node) {
  if (const toml::array* list = node.as_array()) {
    std::vector<std::string> items;
    for (const toml::node& item : *list) items.push_back(written(item));
    return cat("[", join(items, ", "), "]");
  }
  std::ostringstream text;
  text << toml::default_formatter(node);
  return text.str();
}

std::string describe(const toml::node& node) {
  const auto with_value = [&](const char* type) { return cat(type, " ", written(node)); };
  switch (node.type()) {
    case toml::node_type::table:
      return "a table";
    case toml::node_type::array:
      return with_value("the list");
    case toml::node_type::string:
      return with_value("the string");
    case toml::node_type::integer:
      return with_value("the integer");
    case toml::node_type::floating_point:
      return with_value("the number");
    case toml::node_type::boolean:
      return with_value("the boolean");
    default:
      return with_value("the date or time");
  }
}

// Later insertions win, so bases go first and overrides last. A nested table is kept beside its values: an empty
// unknown section and a value in the place of a section must be noticed too.
// `root` owns the table.
void flatten(const std::shared_ptr<const toml::table>& root, const toml::table& table, const std::string& prefix,
             const std::function<std::string(const toml::node&)>& where, size_t depth, Entries& entries) {
  for (const auto& [name, node] : table) {
    const std::string_view text = name.str();
    // A quoted key with a dot inside is not the key of that section.
    const std::string key = prefix + (text.find('.') == text.npos ? std::string(text) : cat('"', text, '"'));
    Entry& entry = entries[key] = {std::shared_ptr<const toml::node>(root, &node), where(node)};
    entry.depth = depth;
    if (const toml::table* inner = node.as_table()) flatten(root, *inner, key + ".", where, depth, entries);
  }
}

std::string read_recipe(const fs::path& file, const std::string& named_by) {
  std::ifstream stream(file, std::ios::binary);
  std::ostringstream text;
  std::error_code unreachable;  // such as a name that is too long
  if (!stream || fs::is_directory(file, unreachable) || (stream.peek() != EOF && !(text << stream.rdbuf()))) {
    const bool exists = fs::exists(file, unreachable);
    const bool is_closed =
        unreachable == std::errc::permission_denied || (exists && ::access(file.c_str(), R_OK) != 0 && errno == EACCES);
    fail(named_by.empty() ? file.string() : named_by, "a readable recipe file",
         cat("'", file.string(), "', which ",
             is_closed ? "you have no permission to read"
             : exists  ? "cannot be read"
                       : "does not exist"),
         is_closed ? "check the permissions of the file and its folders"
                   : cat("check the path; the current folder is ", fs::current_path().string()));
  }
  return text.str();
}

/** The table of a recipe's text. */
std::shared_ptr<const toml::table> parse_recipe(const std::string& text, const std::string& name) {
  TomlFault fault;
  const std::shared_ptr<const toml::table> table = parse_toml(text, name, fault);
  if (!table) fail(cat(name, ":", fault.line), "valid TOML", fault.message);
  return table;
}

/** Reads `file` and, before it, its chain of bases. `named_by` is the place that names the file, empty for the first.
 */
void read_file_into(const fs::path& file, const std::string& named_by, std::vector<fs::path>& chain, Entries& entries) {
  const std::string text = read_recipe(file, named_by);
  const fs::path identity = fs::weakly_canonical(file);
  if (std::find(chain.begin(), chain.end(), identity) != chain.end())
    fail(named_by, "a base that does not lead back to this recipe", cat("a cycle through '", file.string(), "'"));
  chain.push_back(identity);
  const size_t depth = chain.size();

  const std::shared_ptr<const toml::table> table = parse_recipe(text, file.string());
  const auto where = [&](const toml::node& node) { return cat(file.string(), ":", node.source().begin.line); };
  if (const toml::node* base = table->get("base")) {
    const std::string line = where(*base);
    const auto name = base->value<std::string>();
    if (!name) fail(line + ": base", "the path of another recipe, in quotes", describe(*base));
    read_file_into(file.parent_path() / *name, line, chain, entries);
  }
  flatten(table, *table, "", where, depth, entries);
  entries.erase("base");
}

std::string trimmed(std::string_view text) {
  const size_t first = text.find_first_not_of(" \t");
  if (first == text.npos) return "";
  return std::string(text.substr(first, text.find_last_not_of(" \t") - first + 1));
}

/** The right side of an override: a TOML value, or else the text itself as a string, with what is wrong with it. */
std::shared_ptr<const toml::table> parse_override_value(const std::string& text, const std::string& where,
                                                        std::string& wrong) {
  TomlFault fault;
  const std::shared_ptr<const toml::table> table = parse_toml("value = " + text, where, fault);
  if (table && table->size() == 1) return table;
  wrong = table ? "more than one value" : fault.message;
  // recipe.toml has to hold it.
  ConfigPrinter printer;
  std::string printed = text;
  printer("value", printed, "");
  TomlFault unprintable;
  if (!parse_toml(printer.text(), where, unprintable)) fail(where, "a text in UTF-8", unprintable.message);
  return std::make_shared<const toml::table>(toml::table{{"value", text}});
}

void apply_override(const std::string& text, Entries& entries) {
  const std::string where = cat("override '", text, "'");
  const size_t equals = text.find('=');
  const std::string key = trimmed(std::string_view(text).substr(0, equals));
  if (equals == text.npos || key.empty()) fail(where, "section.name=value", text);
  const std::string value = trimmed(std::string_view(text).substr(equals + 1));
  std::string fault;
  const std::shared_ptr<const toml::table> parsed = parse_override_value(value, where, fault);

  Entries flat;
  flatten(
      parsed, *parsed, "", [&](const toml::node&) { return where; }, /*depth=*/0, flat);
  for (auto& [name, entry] : flat) entries[key + name.substr(std::string_view("value").size())] = std::move(entry);
  entries[key].text = value;
  entries[key].fault = fault;
}

Entries read_entries(const fs::path& file, const std::vector<std::string>& overrides) {
  Entries entries;
  std::vector<fs::path> chain;
  read_file_into(file, "", chain, entries);
  for (const std::string& text : overrides) apply_override(text, entries);
  return entries;
}

template <class Value>
constexpr const char* type_name() {
  if constexpr (std::is_same_v<Value, bool>) return "true or false";
  if constexpr (std::is_same_v<Value, int64_t>) return "an integer";
  if constexpr (std::is_same_v<Value, double>) return "a number";
  if constexpr (std::is_same_v<Value, std::string>) return "a string";
}

template <class Value>
Value convert(const toml::node& node, const std::string& where) {
  if (const auto value = node.value_exact<Value>()) return *value;
  if constexpr (std::is_same_v<Value, double>) {
    if (const auto value = node.value_exact<int64_t>()) return static_cast<double>(*value);
  }
  fail(where, type_name<Value>(), describe(node), std::is_same_v<Value, std::string> ? "put the value in quotes" : "");
}

constexpr std::string_view kOpening = "[{\"'";  // first characters of lists, tables and strings

/** An override that begins like a TOML value and is none: a mistake with brackets, or with the quotes of the shell. */
void refuse_broken_value(const Entry& entry, std::string_view first_characters) {
  if (entry.fault.empty() || entry.text->empty() || first_characters.find(entry.text->front()) == std::string::npos)
    return;
  fail(entry.where, "a TOML value after the '='", cat(*entry.text, " (", entry.fault, ")"),
       "mind the quotes of the shell");
}

void require_finite(double value, const std::string& where) {
  if (!std::isfinite(value)) fail(where, "a finite number", cat(value));
}

template <class Value>
std::vector<Value> convert_list(const toml::node& node, const std::string& where) {
  const toml::array* items = node.as_array();
  if (items == nullptr) fail(where, cat("a list [...] with items that are ", type_name<Value>()), describe(node));
  std::vector<Value> values;
  for (const toml::node& item : *items) {
    const std::string item_where = cat(where, ", item ", values.size() + 1, " of the list");
    values.push_back(convert<Value>(item, item_where));
    if constexpr (std::is_same_v<Value, double>) require_finite(values.back(), item_where);
  }
  return values;
}

}  // namespace

struct ConfigReader::State {
  Entries entries;
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
  const Entry* find(std::string_view name) {
    const std::string key = full_key(name);
    const bool is_new = fields.insert(key).second;
    assert(is_new && "two fields share a key");
    static_cast<void>(is_new);
    const auto found = entries.find(key);
    return found == entries.end() ? nullptr : &found->second;
  }

  std::string where(const Entry& entry, std::string_view name) const { return cat(entry.where, ": ", full_key(name)); }

  template <class Value>
  const Entry* read(std::string_view name, Value& value) {
    const Entry* entry = find(name);
    if (entry == nullptr) return nullptr;
    constexpr bool kIsText = std::is_same_v<Value, std::string>;
    refuse_broken_value(*entry, kIsText ? "\"'" : kOpening);
    if constexpr (kIsText) {
      // On the command line a folder may be called 2026, true or [new] without quotes inside quotes.
      if (entry->text && !entry->node->is_string()) {
        value = *entry->text;
        return entry;
      }
    }
    value = convert<Value>(*entry->node, where(*entry, name));
    return entry;
  }

  template <class Value>
  void read_list(std::string_view name, std::vector<Value>& values) {
    const Entry* entry = find(name);
    if (entry == nullptr) return;
    refuse_broken_value(*entry, kOpening);
    values = convert_list<Value>(*entry->node, where(*entry, name));
  }

  template <class Value>
  void read_range(std::string_view name, Value& value, Value low, Value high) {
    const Entry* entry = read(name, value);
    // Written so that NaN fails.
    if (entry != nullptr && !trusts_values && !(value >= low && value <= high))
      fail(where(*entry, name), cat(type_name<Value>(), " from ", low, " to ", high), cat(value));
  }
};

ConfigReader::ConfigReader(const fs::path& file, const std::vector<std::string>& overrides)
    : state_(std::make_unique<State>()) {
  state_->entries = read_entries(file, overrides);
}

ConfigReader::ConfigReader(const std::vector<std::string>& overrides) : state_(std::make_unique<State>()) {
  for (const std::string& text : overrides) apply_override(text, state_->entries);
}

ConfigReader::ConfigReader(const ConfigText& text) : state_(std::make_unique<State>()) {
  const std::shared_ptr<const toml::table> table = parse_recipe(text.text, text.name);
  const auto where = [&](const toml::node& node) { return cat(text.name, ":", node.source().begin.line); };
  flatten(table, *table, "", where, /*depth=*/1, state_->entries);
}

ConfigReader::~ConfigReader() = default;

void ConfigReader::field(std::string_view name, bool& value, std::string_view, Change) {
  state_->read(name, value);
}
void ConfigReader::field(std::string_view name, int64_t& value, std::string_view, Change) {
  state_->read(name, value);
}
void ConfigReader::field(std::string_view name, double& value, std::string_view, Change) {
  const Entry* entry = state_->read(name, value);
  if (entry != nullptr && !state_->trusts_values) require_finite(value, state_->where(*entry, name));
}
void ConfigReader::field(std::string_view name, std::string& value, std::string_view, Change) {
  state_->read(name, value);
}
void ConfigReader::field(std::string_view name, std::vector<std::string>& value, std::string_view, Change) {
  state_->read_list(name, value);
}
void ConfigReader::field(std::string_view name, std::vector<int64_t>& value, std::string_view, Change) {
  state_->read_list(name, value);
}
void ConfigReader::field(std::string_view name, std::vector<double>& value, std::string_view, Change) {
  state_->read_list(name, value);
}

void ConfigReader::chosen(std::string_view name, std::string& value, const std::vector<std::string>& choices,
                          std::string_view, Change) {
  const Entry* entry = state_->read(name, value);
  const bool is_checked = entry != nullptr && !state_->trusts_values;
  if (is_checked && std::find(choices.begin(), choices.end(), value) == choices.end())
    fail(state_->where(*entry, name), cat("one of ", join(choices, ", ")), cat("'", value, "'"));
}

void ConfigReader::ranged(std::string_view name, double& value, double low, double high, std::string_view, Change) {
  state_->read_range(name, value, low, high);
}
void ConfigReader::ranged(std::string_view name, int64_t& value, int64_t low, int64_t high, std::string_view, Change) {
  state_->read_range(name, value, low, high);
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
      fail(entry.where, is_table ? "a known section" : "a known key", cat("unknown '", key, "'"),
           is_table ? did_you_mean(key, state_->sections) : hint_at_keys(key, state_->fields));
    }
    refuse_broken_value(entry, kOpening);
    if (!is_table) fail(cat(entry.where, ": ", key), cat("the section [", key, "]"), describe(*entry.node));
  }
}

bool is_set_along_with(const fs::path& file, const std::vector<std::string>& overrides, const std::string& key,
                       const std::string& other) {
  const Entries entries = read_entries(file, overrides);
  const auto found = entries.find(key);
  const auto beside = entries.find(other);
  return found != entries.end() && (beside == entries.end() || found->second.depth <= beside->second.depth);
}

}  // namespace diptych
