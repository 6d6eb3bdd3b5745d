#include <charconv>

#include "diptych/base/config.h"
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

}  // namespace

void ConfigPrinter::field(std::string_view name, bool& value, std::string_view comment, Change change) {
  line(name, literal(value), {}, comment, change);
}
void ConfigPrinter::field(std::string_view name, int64_t& value, std::string_view comment, Change change) {
  line(name, literal(value), {}, comment, change);
}
void ConfigPrinter::field(std::string_view name, double& value, std::string_view comment, Change change) {
  line(name, literal(value), {}, comment, change);
}
void ConfigPrinter::field(std::string_view name, std::string& value, std::string_view comment, Change change) {
  line(name, literal(value), {value}, comment, change);
}
void ConfigPrinter::field(std::string_view name, std::vector<std::string>& value, std::string_view comment,
                          Change change) {
  line(name, literal(value), value, comment, change);
}
void ConfigPrinter::field(std::string_view name, std::vector<int64_t>& value, std::string_view comment, Change change) {
  line(name, literal(value), {}, comment, change);
}
void ConfigPrinter::field(std::string_view name, std::vector<double>& value, std::string_view comment, Change change) {
  line(name, literal(value), {}, comment, change);
}

void ConfigPrinter::chosen(std::string_view name, std::string& value, const std::vector<std::string>& choices,
                           std::string_view comment, Change change) {
  line(name, literal(value), {value}, cat(comment, " (", join(choices, ", "), ")"), change);
}

void ConfigPrinter::ranged(std::string_view name, double& value, double, double, std::string_view comment,
                           Change change) {
  line(name, literal(value), {}, comment, change);
}
void ConfigPrinter::ranged(std::string_view name, int64_t& value, int64_t, int64_t, std::string_view comment,
                           Change change) {
  line(name, literal(value), {}, comment, change);
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

void ConfigPrinter::line(std::string_view name, const std::string& value, const std::vector<std::string>& words,
                         std::string_view comment, Change change) {
  keys_.push_back({.name = cat(join(path_, "."), path_.empty() ? "" : ".", name),
                   .value = value,
                   .words = words,
                   .change = change});
  const std::string told = cat(comment, !comment.empty() && change != Change::refused ? " " : "", mark_of(change));
  const std::string text = cat(name, " = ", value, told.empty() ? "" : "  # ", told, "\n");
  // A first top-level field that is visited after a section still gets its empty line below.
  const bool needs_gap = field_end_.back() == 0 && !text_.empty();
  text_.insert(field_end_.back(), needs_gap ? text + "\n" : text);
  field_end_.back() += text.size();
}

}  // namespace diptych
