#include "diptych/base/config/parse_toml.h"

#include <algorithm>

#include "diptych/base/text_format.h"

namespace diptych {

namespace {

constexpr size_t kMostParts = 16;  // of a dotted key

/** Where the string that starts at `start` ends, behind its quotes or at the end of the text. */
size_t end_of_string(std::string_view text, size_t start) {
  const char quote = text[start];
  const std::string_view triple = quote == '"' ? "\"\"\"" : "'''";
  const bool is_long = text.substr(start).starts_with(triple);
  const std::string_view end = is_long ? triple : triple.substr(0, 1);
  for (size_t i = start + end.size(); i < text.size(); ++i) {
    if (text.substr(i).starts_with(end)) return i + end.size();
    if (!is_long && text[i] == '\n') return i;
    if (quote == '"' && text[i] == '\\') ++i;
  }
  return text.size();
}

/** The line, from 1, of the first key with too many parts; 0 if there is none. For a text that is no TOML it looks at
 *  least as far as the parser will. */
int64_t line_of_deep_key(std::string_view text) {
  int64_t line = 1;
  size_t parts = 1;
  for (size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (c == '"' || c == '\'') {
      const std::string_view string = text.substr(i, end_of_string(text, i) - i);
      line += std::count(string.begin(), string.end(), '\n');
      i += string.size() - 1;
    } else if (c == '#') {
      i = std::min(text.find('\n', i), text.size()) - 1;
    } else if (c == '.') {
      if (++parts > kMostParts) return line;
    } else if (std::string_view("\n=,[]{}").find(c) != std::string_view::npos) {
      parts = 1;
      line += c == '\n';
    }
  }
  return 0;
}

}  // namespace

std::shared_ptr<const toml::table> parse_toml(std::string_view text, const std::string& name, TomlFault& fault) {
  if (const int64_t line = line_of_deep_key(text)) {
    fault = {line, cat("a key of more than ", kMostParts, " parts")};
    return nullptr;
  }
  try {
    return std::make_shared<const toml::table>(toml::parse(text, name));
  } catch (const toml::parse_error& error) {
    fault = {error.source().begin.line, std::string(error.description())};
    return nullptr;
  }
}

}  // namespace diptych
