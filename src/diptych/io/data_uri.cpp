#include "diptych/io/data_uri.h"

#include <algorithm>
#include <charconv>

#include "diptych/base/ascii.h"
#include "diptych/base/error.h"
#include "diptych/io/base64.h"

namespace diptych {

namespace {

constexpr std::string_view kScheme = "data:";
constexpr std::string_view kBlanks = " \t\r\n";

std::string_view without_blanks_ahead(std::string_view text) {
  return text.substr(std::min(text.find_first_not_of(kBlanks), text.size()));
}

/** Whether one of the parameters between the semicolons is "base64". */
bool names_base64(std::string_view header) {
  while (!header.empty()) {
    const size_t start = header.rfind(';') + 1;  // 0 without a semicolon
    if (ascii_lower(trimmed(header.substr(start), kBlanks)) == "base64") return true;
    header = header.substr(0, start == 0 ? 0 : start - 1);
  }
  return false;
}

/** The text with each %XX as the character it stands for; other percent signs stay, and no base64 has them. */
std::string without_escapes(std::string_view text) {
  std::string plain;
  plain.reserve(text.size());
  for (size_t i = 0; i < text.size(); ++i) {
    uint8_t code = 0;
    const char* digits = text.data() + i + 1;
    const bool is_escape =
        text[i] == '%' && i + 2 < text.size() && std::from_chars(digits, digits + 2, code, 16).ptr == digits + 2;
    plain.push_back(is_escape ? static_cast<char>(code) : text[i]);
    if (is_escape) i += 2;
  }
  return plain;
}

}  // namespace

bool is_data_uri(std::string_view uri) {
  return ascii_lower(without_blanks_ahead(uri).substr(0, kScheme.size())) == kScheme;
}

std::vector<uint8_t> decode_data_uri(std::string_view uri, const std::string& name) {
  const auto fail = [&](const std::string& got) {
    throw Error(ExitCode::data, {name, "a data URI of the form data:image/png;base64,...", got, ""});
  };
  if (!is_data_uri(uri)) fail("another text");
  const std::string_view content = without_blanks_ahead(uri).substr(kScheme.size());
  const size_t comma = content.find(',');
  if (comma == content.npos) fail("no comma in front of the data");
  if (!names_base64(content.substr(0, comma))) fail("no ;base64 in front of the comma");
  const auto bytes = base64_decode(without_escapes(content.substr(comma + 1)));
  if (!bytes) fail("data that are not valid base64");
  if (bytes->empty()) fail("no data behind the comma");
  return *bytes;
}

}  // namespace diptych
