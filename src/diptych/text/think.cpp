#include "diptych/text/think.h"

#include "diptych/base/ascii.h"
#include "diptych/text/unicode.h"

namespace diptych {
namespace {

constexpr std::string_view kOpen = "<think>";
constexpr std::string_view kClose = "</think>";

}  // namespace

ThinkText parse_think(std::string_view text) {
  text = trimmed(text);
  const std::size_t open = text.find(kOpen);
  const std::size_t start = open == std::string_view::npos ? 0 : open + kOpen.size();
  const std::size_t close = text.find(kClose, start);
  if (open == std::string_view::npos && close == std::string_view::npos) return {"", std::string(text), false};
  if (close == std::string_view::npos) return {std::string(trimmed(text.substr(start))), "", false};

  const std::size_t after = close + kClose.size();
  const bool only_tags =
      text.find(kOpen, start) == std::string_view::npos && text.find(kClose, after) == std::string_view::npos;
  return {std::string(trimmed(text.substr(start, close - start))), std::string(trimmed(text.substr(after))),
          open == 0 && only_tags};
}

bool is_empty_thought(const ThinkText& text) {
  const std::string reasoning = repair_utf8(text.reasoning);
  for (std::size_t at = 0; at < reasoning.size();) {
    const char32_t sign = next_code_point(reasoning, &at);
    if (is_letter(sign) || is_number(sign)) return false;
  }
  return true;
}

}  // namespace diptych
