#include "diptych/serve/http/access.h"

#include <algorithm>

#include "diptych/base/ascii.h"
#include "diptych/base/text_format.h"
#include "diptych/serve/api_error.h"

namespace diptych {

namespace {

/** The key of "Bearer KEY"; empty for other headers. */
std::string_view bearer_key(std::string_view authorization) {
  constexpr std::string_view kScheme = "bearer";
  authorization = trimmed(authorization, kHeaderBlanks);
  const std::string_view rest = authorization.substr(std::min(authorization.size(), kScheme.size()));
  const bool is_bearer = ascii_lower(authorization.substr(0, kScheme.size())) == kScheme;
  return is_bearer && rest.find_first_of(kHeaderBlanks) == 0 ? trimmed(rest, kHeaderBlanks) : "";
}

/** Of "host", "host:port" or "[address]:port", in small letters and without the dot at the end of a full name. */
std::string host_name(std::string_view host) {
  if (host.starts_with('[')) return std::string(host.substr(0, host.find(']') + 1));
  std::string name = ascii_lower(host.substr(0, host.rfind(':')));
  if (name.ends_with('.')) name.pop_back();
  return name;
}

/** Names that only this network can know, and addresses, are what the client itself was told to use. */
bool is_local_name(const std::string& name) {
  const bool is_address = name.starts_with('[') || name.find_first_not_of("0123456789.") == std::string::npos;
  return is_address || name.find('.') == std::string::npos || name.ends_with(".localhost") ||
         name.ends_with(".local") || name.ends_with(".internal");
}

bool is_host_of(const std::string& origin, const std::string& name) {
  return origin == "*" || host_name(std::string_view(origin).substr(origin.find("//") + 2)) == name;
}

}  // namespace

void check_access(const AccessRules& rules, const RequestSource& source) {
  if (!rules.api_key.empty()) {
    if (!equal_in_constant_time(bearer_key(source.authorization), rules.api_key))
      throw ApiError(401, "authentication_error", "the API key is missing or wrong", "", "invalid_api_key");
    return;
  }
  if (!source.origin.empty() && allowed_origin(rules, source.origin).empty())
    throw ApiError(403, "permission_error",
                   cat("pages of ", source.origin, " may not use this server: its option --allow-origin lets them"), "",
                   "origin_not_allowed");
  const std::string name = host_name(source.host);
  const bool is_known =
      is_local_name(name) || std::ranges::any_of(rules.origins, [&](const auto& o) { return is_host_of(o, name); });
  if (rules.loopback && !is_known)
    throw ApiError(403, "permission_error",
                   cat("this server is one of this machine alone, not ", name,
                       ": it needs a key (--api-key-env), or --allow-origin with that host"),
                   "", "host_not_allowed");
}

std::string allowed_origin(const AccessRules& rules, const std::string& origin) {
  if (origin.empty()) return "";
  if (std::ranges::count(rules.origins, "*") > 0) return "*";
  return std::ranges::count(rules.origins, ascii_lower(origin)) > 0 ? origin : "";
}

bool is_origin(std::string_view text) {
  if (text == "*") return true;
  const size_t slashes = text.find("://");
  if (slashes == std::string_view::npos || slashes == 0) return false;
  const std::string_view host = text.substr(slashes + 3);
  return !host.empty() && host.find_first_of("/?#* \t\r\n") == std::string_view::npos;
}

bool is_loopback_host(std::string_view host) {
  return host == "localhost" || host == "::1" || host.starts_with("127.");
}

bool equal_in_constant_time(std::string_view a, std::string_view b) {
  unsigned char difference = a.size() == b.size() ? 0 : 1;
  for (size_t i = 0; i < a.size(); ++i)
    difference |= static_cast<unsigned char>(a[i] ^ (b.empty() ? '\0' : b[i % b.size()]));
  return difference == 0;
}

}  // namespace diptych
