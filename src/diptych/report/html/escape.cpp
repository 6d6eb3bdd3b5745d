#include "diptych/report/html/escape.h"

namespace diptych {

namespace {

constexpr std::string_view kReplacement = "\xef\xbf\xbd";  // U+FFFD

}  // namespace

std::string escape_html(std::string_view text) {
  std::string escaped;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '&')
      escaped += "&amp;";
    else if (c == '<')
      escaped += "&lt;";
    else if (c == '>')
      escaped += "&gt;";
    else if (c == '"')
      escaped += "&quot;";
    else if (c == '\'')
      escaped += "&#39;";
    else if ((byte < 0x20 && c != '\t' && c != '\n' && c != '\r') || byte == 0x7f)
      escaped += kReplacement;
    else
      escaped += c;
  }
  return escaped;
}

}  // namespace diptych
