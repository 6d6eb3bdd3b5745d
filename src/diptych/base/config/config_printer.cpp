#include <charconv>

#include "diptych/base/config/config.h"
#include "diptych/base/text_format.h"

namespace diptych {

namespace {

std::string literal(bool value) {
  return value ? "true" : "false";
}

std::string literal(int64_t value) {
  return std::to_string(value);
}

std::string literal(double value) {
  char buffer[32];
  // Without a precision, to_chars writes the shortest text that reads back to the same double.
  std::string text(buffer, std::to_chars(buffer, buffer + sizeof buffer, value).ptr);
  if (text.find_first_not_of("-0123456789") == text.npos) text += ".0";
  return text;
}

std::string literal(const std::string& value) {
  std::string text = "\"";
  for (const char c : value) {
    const auto code = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      text += {'\\', c};
    } else if (code < 0x20 || code == 0x7f) {
      char escape[8];
      std::snprintf(escape, sizeof escape, "\\u%04X", code);
      text += escape;
    } else {
      text += c;
    }
  }
  return text + '"';
}

template <class Value>
std::string literal(const std::vector<Value>& values) {
  std::vector<std::string> items;
  for (const Value& value : values) items.push_back(literal(value));
  return cat("[", join(items, ", "), "]");
}

std::vector<std::string> words_of(const std::string& value) {
  return {value};
}

std::vector<std::string> words_of(const std::vector<std::string>& value) {
  return value;
}

template <class Value>
std::vector<std::string> words_of(const Value&) {
  return {};
}

const char* mark_of(Change change) {
  switch (change) {
    case Change::refused:
      return "";
    case Change::recorded:
      return "[recorded]";
    case Change::free:
      return "[free]";
    case Change::schedule:
      return "[free with a constant rate, else recorded]";
    case Change::files:
      return "[recorded by content]";
  }
  return "";
}

/** The comment as it is printed, with what the key may be and what a run that continues may do with it. */
std::string full_comment(const ConfigField& field) {
  std::string comment(field.comment);
  if (const auto* choices = std::get_if<const std::vector<std::string>*>(&field.limits))
    comment += cat(" (", join(**choices, ", "), ")");
  return cat(comment, !comment.empty() && field.change != Change::refused ? " " : "", mark_of(field.change));
}

}  // namespace

void ConfigPrinter::field(const ConfigField& field) {
  ConfigKey key;
  key.name = cat(join(path_, "."), path_.empty() ? "" : ".", field.name);
  key.change = field.change;
  std::visit(
      [&](const auto* value) {
        key.value = literal(*value);
        key.words = words_of(*value);
      },
      field.value);
  const std::string comment = full_comment(field);
  const std::string text = cat(field.name, " = ", key.value, comment.empty() ? "" : "  # ", comment, "\n");
  keys_.push_back(std::move(key));
  // A first top-level field that is visited after a section still gets its empty line below.
  const bool needs_gap = field_end_.back() == 0 && !text_.empty();
  text_.insert(field_end_.back(), needs_gap ? text + "\n" : text);
  field_end_.back() += text.size();
}

void ConfigPrinter::enter(std::string_view name) {
  path_.emplace_back(name);
  text_ += cat(text_.empty() ? "" : "\n", "[", join(path_, "."), "]\n");
  field_end_.push_back(text_.size());
}

void ConfigPrinter::leave() {
  path_.pop_back();
  field_end_.pop_back();
}

}  // namespace diptych
