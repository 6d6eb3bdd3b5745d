#include "diptych/serve/requests/multipart.h"

#include <algorithm>

#include "diptych/base/ascii.h"
#include "diptych/serve/api_error.h"

namespace diptych {

namespace {

constexpr size_t kMostParts = 64;
constexpr size_t kLongestBoundary = 70;
constexpr size_t kLongestHead = 8192;  // bytes of the headers of a part

ApiError malformed() {
  return invalid_request("the body is not valid multipart/form-data");
}

/** The value of `; name="value"` or `; name=value` in a header line; empty without it. */
std::string parameter(std::string_view line, const std::string& name) {
  const std::string mark = name + "=";
  size_t place = 0;
  const std::string lower = ascii_lower(line);
  do {
    place = lower.find(mark, place + 1);
    if (place == std::string::npos) return "";
  } while (lower[place - 1] != ' ' && lower[place - 1] != ';' && lower[place - 1] != '\t');
  std::string_view value = line.substr(place + mark.size());
  if (!value.starts_with('"')) return std::string(value.substr(0, value.find_first_of("; \t\r\n")));
  value.remove_prefix(1);
  std::string text;
  for (size_t i = 0; i < value.size() && value[i] != '"'; ++i) {
    if (value[i] == '\\' && i + 1 < value.size()) ++i;
    text += value[i];
  }
  return text;
}

/** The Content-Disposition line of a part's headers. */
std::string_view disposition(std::string_view head) {
  while (!head.empty()) {
    const size_t end = std::min(head.find("\r\n"), head.size());
    const std::string_view line = head.substr(0, end);
    if (ascii_lower(line).starts_with("content-disposition:")) return line;
    head.remove_prefix(std::min(head.size(), end + 2));
  }
  throw malformed();
}

}  // namespace

std::vector<FormPart> parse_multipart(std::string_view body, std::string_view content_type) {
  const std::string boundary = parameter(content_type, "boundary");
  if (boundary.empty() || boundary.size() > kLongestBoundary) throw malformed();
  const std::string first = "--" + boundary;
  const std::string next = "\r\n" + first;
  const size_t start = body.find(first);
  if (start == std::string_view::npos) throw malformed();
  body.remove_prefix(start + first.size());
  std::vector<FormPart> parts;
  while (!body.starts_with("--")) {
    if (!body.starts_with("\r\n") || parts.size() == kMostParts) throw malformed();
    const size_t head_end = body.substr(0, kLongestHead).find("\r\n\r\n");
    const size_t end = body.find(next, 2);
    if (head_end == std::string_view::npos || end == std::string_view::npos || end < head_end + 2) throw malformed();
    const std::string_view line = disposition(body.substr(2, head_end - 2));
    FormPart part{parameter(line, "name"), parameter(line, "filename"), {}};
    if (part.name.empty()) throw malformed();
    const size_t begin = head_end + 4;
    if (end > begin) part.content = body.substr(begin, end - begin);
    parts.push_back(std::move(part));
    body.remove_prefix(end + next.size());
  }
  return parts;
}

}  // namespace diptych
