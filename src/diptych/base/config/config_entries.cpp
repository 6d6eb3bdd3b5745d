#include "diptych/base/config/config_entries.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <fstream>
#include <sstream>

#include "diptych/base/config/config_override.h"
#include "diptych/base/config/config_value.h"
#include "diptych/base/error.h"
#include "diptych/base/text_format.h"

namespace diptych {

namespace {

namespace fs = std::filesystem;

/** What it finds in a table goes into `entries`: later insertions win, so bases go first and overrides last. A nested
 *  table is kept beside its values: an empty unknown section and a value in the place of a section must be noticed too.
 */
struct TableReader {
  std::shared_ptr<const toml::table> root;  // owns all that it reads
  std::function<std::string(const toml::node&)> where;
  size_t depth;
  ConfigEntries& entries;

  void read(const toml::table& table, const std::string& prefix) const {
    for (const auto& [name, node] : table) {
      const std::string_view text = name.str();
      // A quoted key with a dot inside is not the key of that section.
      const std::string key = prefix + (text.find('.') == text.npos ? std::string(text) : cat('"', text, '"'));
      ConfigEntry& entry = entries[key] = {std::shared_ptr<const toml::node>(root, &node), where(node)};
      entry.depth = depth;
      if (const toml::table* inner = node.as_table()) read(*inner, key + ".");
    }
  }
};

std::string read_recipe(const fs::path& file, const std::string& named_by) {
  std::ifstream stream(file, std::ios::binary);
  std::ostringstream text;
  std::error_code unreachable;  // such as a name that is too long
  if (!stream || fs::is_directory(file, unreachable) || (stream.peek() != EOF && !(text << stream.rdbuf()))) {
    const bool exists = fs::exists(file, unreachable);
    const bool is_closed =
        unreachable == std::errc::permission_denied || (exists && ::access(file.c_str(), R_OK) != 0 && errno == EACCES);
    throw Error(ExitCode::config,
                {named_by.empty() ? file.string() : named_by, "a readable recipe file",
                 cat("'", file.string(), "', which ",
                     is_closed ? "you have no permission to read"
                     : exists  ? "cannot be read"
                               : "does not exist"),
                 is_closed ? "check the permissions of the file and its folders"
                           : cat("check the path; the current folder is ", fs::current_path().string())});
  }
  return text.str();
}

std::shared_ptr<const toml::table> parse_recipe(const ConfigText& text) {
  TomlFault fault;
  const std::shared_ptr<const toml::table> table = parse_toml(text.text, text.name, fault);
  if (!table) throw Error(ExitCode::config, {cat(text.name, ":", fault.line), "valid TOML", fault.message, ""});
  return table;
}

std::string place_of(const toml::node& node, const std::string& name) {
  return cat(name, ":", node.source().begin.line);
}

/** Reads `file` and, before it, its chain of bases. `named_by` is the place that names the file, empty for the first.
 */
void read_file_into(const fs::path& file, const std::string& named_by, std::vector<fs::path>& chain,
                    ConfigEntries& entries) {
  const std::string text = read_recipe(file, named_by);
  const fs::path identity = fs::weakly_canonical(file);
  if (std::find(chain.begin(), chain.end(), identity) != chain.end())
    throw Error(ExitCode::config, {named_by, "a base that does not lead back to this recipe",
                                   cat("a cycle through '", file.string(), "'"), ""});
  chain.push_back(identity);
  const size_t depth = chain.size();

  const std::shared_ptr<const toml::table> table = parse_recipe({text, file.string()});
  if (const toml::node* base = table->get("base")) {
    const std::string line = place_of(*base, file.string());
    const auto name = base->value<std::string>();
    if (!name)
      throw Error(ExitCode::config,
                  {line + ": base", "the path of another recipe, in quotes", described_toml(*base), ""});
    read_file_into(file.parent_path() / *name, line, chain, entries);
  }
  add_config_table(
      table, depth, [&](const toml::node& node) { return place_of(node, file.string()); }, entries);
  entries.erase("base");
}

}  // namespace

ConfigEntries read_config_entries(const fs::path& file, const std::vector<std::string>& overrides) {
  ConfigEntries entries;
  std::vector<fs::path> chain;
  read_file_into(file, "", chain, entries);
  for (const std::string& text : overrides) apply_override(text, entries);
  return entries;
}

ConfigEntries parse_config_entries(const ConfigText& text) {
  ConfigEntries entries;
  add_config_table(
      parse_recipe(text), /*depth=*/1, [&](const toml::node& node) { return place_of(node, text.name); }, entries);
  return entries;
}

void add_config_table(const std::shared_ptr<const toml::table>& table, size_t depth,
                      const std::function<std::string(const toml::node&)>& where, ConfigEntries& entries) {
  TableReader{table, where, depth, entries}.read(*table, "");
}

}  // namespace diptych
