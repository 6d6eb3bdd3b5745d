#include "diptych/io/json.h"

#include <nlohmann/json.hpp>

#include "diptych/base/text_format.h"

namespace diptych {

using nlohmann::json;

namespace {

constexpr int kDeepestNesting = 256;
constexpr size_t kLongestMessage = 300;  // bytes; the library quotes the whole of what it stumbled over

/** The place, from 1, of the bracket that opens one level too many; 0 if there is none. For a text that is no JSON it
 *  looks at least as far as the parser will. */
size_t too_deep_at(std::string_view text) {
  int depth = 0;
  bool in_string = false;
  for (size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (in_string && c == '\\') {
      ++i;
    } else if (c == '"') {
      in_string = !in_string;
    } else if (!in_string && (c == '[' || c == '{')) {
      if (++depth > kDeepestNesting) return i + 1;
    } else if (!in_string && (c == ']' || c == '}')) {
      --depth;
    }
  }
  return 0;
}

/** What stands behind `mark` in the library's message. */
std::string message_behind(std::string_view mark, const json::exception& error) {
  const std::string_view message = error.what();
  const size_t found = message.find(mark);
  return std::string(message.substr(found == message.npos ? 0 : found + mark.size(), kLongestMessage));
}

}  // namespace

std::optional<json> parse_json(std::string_view text, JsonFault* fault) {
  JsonFault found;
  found.byte = too_deep_at(text);
  if (found.byte == 0) {
    try {
      return std::optional<json>(std::in_place, json::parse(text));
    } catch (const json::parse_error& error) {
      found = {error.byte, message_behind(": ", error)};
    } catch (const json::out_of_range& error) {
      found.message = message_behind("] ", error);
    }
  } else {
    found.message = cat("more than ", kDeepestNesting, " levels of brackets");
  }
  if (fault != nullptr) *fault = std::move(found);
  return std::nullopt;
}

}  // namespace diptych
