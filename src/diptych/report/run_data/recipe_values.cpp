#include "diptych/report/run_data/recipe_values.h"

#include <charconv>
#include <sstream>

#include "diptych/base/config/parse_toml.h"
#include "diptych/base/error.h"
#include "diptych/base/text_format.h"

namespace diptych {

namespace {

std::string toml_text(const toml::node& node) {
  if (const auto* text = node.as_string()) return text->get();
  if (const auto* number = node.as_floating_point()) {
    char digits[32];
    return std::string(digits, std::to_chars(digits, digits + sizeof digits, number->get()).ptr);  // the shortest
  }
  if (const auto* list = node.as_array()) {
    std::vector<std::string> items;
    for (const toml::node& item : *list) items.push_back(toml_text(item));
    return cat("[", join(items, ", "), "]");
  }
  std::ostringstream out;
  out << toml::default_formatter(node);
  return out.str();
}

void collect(const toml::table& table, const std::string& prefix, RecipeValues& values) {
  for (const auto& [key, node] : table) {
    const std::string name = prefix + std::string(key.str());
    if (const auto* inner = node.as_table())
      collect(*inner, name + ".", values);
    else
      values[name] = toml_text(node);
  }
}

}  // namespace

RecipeValues parse_recipe_values(const std::string& toml, const std::string& file_name) {
  TomlFault fault;
  const std::shared_ptr<const toml::table> table = parse_toml(toml, file_name, fault);
  if (!table) throw Error(ExitCode::config, {cat(file_name, ":", fault.line), "valid TOML", fault.message, ""});
  RecipeValues values;
  collect(*table, "", values);
  return values;
}

double recipe_number(const RecipeValues& recipe, const std::string& key, double otherwise) {
  const auto found = recipe.find(key);
  if (found == recipe.end()) return otherwise;
  char* end = nullptr;
  const double number = std::strtod(found->second.c_str(), &end);
  return end == found->second.c_str() ? otherwise : number;
}

std::string recipe_text(const RecipeValues& recipe, const std::string& key) {
  const auto found = recipe.find(key);
  return found == recipe.end() ? "" : found->second;
}

}  // namespace diptych
