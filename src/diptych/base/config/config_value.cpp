#include "diptych/base/config/config_value.h"

#include <algorithm>
#include <cmath>
#include <sstream>

#include "diptych/base/error.h"
#include "diptych/base/text_format.h"

namespace diptych {

namespace {

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

template <class Value>
constexpr const char* type_name() {
  if constexpr (std::is_same_v<Value, bool>) return "true or false";
  if constexpr (std::is_same_v<Value, int64_t>) return "an integer";
  if constexpr (std::is_same_v<Value, double>) return "a number";
  if constexpr (std::is_same_v<Value, std::string>) return "a string";
}

template <class Value>
Value toml_as(const toml::node& node, const std::string& where) {
  if (const auto value = node.value_exact<Value>()) return *value;
  if constexpr (std::is_same_v<Value, double>) {
    if (const auto value = node.value_exact<int64_t>()) return static_cast<double>(*value);
  }
  fail(where, type_name<Value>(), described_toml(node),
       std::is_same_v<Value, std::string> ? "put the value in quotes" : "");
}

void require_finite(double value, const std::string& where) {
  if (!std::isfinite(value)) fail(where, "a finite number", cat(value));
}

template <class Value>
void read_into(const toml::node& node, const std::string& where, Value& value) {
  value = toml_as<Value>(node, where);
}

template <class Item>
void read_into(const toml::node& node, const std::string& where, std::vector<Item>& values) {
  const toml::array* items = node.as_array();
  if (items == nullptr) fail(where, cat("a list [...] with items that are ", type_name<Item>()), described_toml(node));
  values.clear();
  for (const toml::node& item : *items) {
    const std::string item_where = cat(where, ", item ", values.size() + 1, " of the list");
    values.push_back(toml_as<Item>(item, item_where));
    if constexpr (std::is_same_v<Item, double>) require_finite(values.back(), item_where);
  }
}

template <class Number>
void require_in_range(Number value, const ConfigRange<Number>& range, const std::string& where) {
  // Written so that NaN fails.
  if (!(value >= range.low && value <= range.high))
    fail(where, cat(type_name<Number>(), " from ", range.low, " to ", range.high), cat(value));
}

void require_choice(const std::string& value, const std::vector<std::string>& choices, const std::string& where) {
  if (std::find(choices.begin(), choices.end(), value) == choices.end())
    fail(where, cat("one of ", join(choices, ", ")), cat("'", value, "'"));
}

}  // namespace

std::string described_toml(const toml::node& node) {
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

void read_toml(const toml::node& node, const std::string& where, const ConfigField::Value& value) {
  std::visit([&](auto* typed) { read_into(node, where, *typed); }, value);
}

void check_limits(const ConfigField& field, const std::string& where) {
  if (const auto* choices = std::get_if<const std::vector<std::string>*>(&field.limits)) {
    require_choice(*std::get<std::string*>(field.value), **choices, where);
  } else if (const auto* integers = std::get_if<ConfigRange<int64_t>>(&field.limits)) {
    require_in_range(*std::get<int64_t*>(field.value), *integers, where);
  } else if (const auto* numbers = std::get_if<ConfigRange<double>>(&field.limits)) {
    require_in_range(*std::get<double*>(field.value), *numbers, where);
  } else if (const auto* number = std::get_if<double*>(&field.value)) {
    require_finite(**number, where);
  }
}

}  // namespace diptych
