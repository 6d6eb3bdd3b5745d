#include "diptych/base/config/config_override.h"

#include "diptych/base/ascii.h"
#include "diptych/base/error.h"
#include "diptych/base/text_format.h"

namespace diptych {

namespace {

/** The right side of an override, with what is wrong with it as TOML. */
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
  if (!parse_toml(printer.text(), where, unprintable))
    throw Error(ExitCode::config, {where, "a text in UTF-8", unprintable.message, ""});
  return std::make_shared<const toml::table>(toml::table{{"value", text}});
}

/** Line ends stay: a text may have them on purpose. */
std::string without_spaces_around(std::string_view text) {
  return std::string(trimmed(text, " \t"));
}

}  // namespace

void apply_override(const std::string& text, ConfigEntries& entries) {
  const std::string where = cat("override '", text, "'");
  const size_t equals = text.find('=');
  const std::string key = without_spaces_around(std::string_view(text).substr(0, equals));
  if (equals == text.npos || key.empty()) throw Error(ExitCode::config, {where, "section.name=value", text, ""});
  const std::string value = without_spaces_around(std::string_view(text).substr(equals + 1));
  std::string fault;
  const std::shared_ptr<const toml::table> parsed = parse_override_value(value, where, fault);

  ConfigEntries flat;
  add_config_table(
      parsed, /*depth=*/0, [&](const toml::node&) { return where; }, flat);
  for (auto& [name, entry] : flat) entries[key + name.substr(std::string_view("value").size())] = std::move(entry);
  entries[key].text = value;
  entries[key].fault = fault;
}

void refuse_broken_value(const ConfigEntry& entry, std::string_view first_characters) {
  if (entry.fault.empty() || entry.text->empty() || first_characters.find(entry.text->front()) == std::string::npos)
    return;
  throw Error(ExitCode::config, {entry.where, "a TOML value after the '='", cat(*entry.text, " (", entry.fault, ")"),
                                 "mind the quotes of the shell"});
}

}  // namespace diptych
