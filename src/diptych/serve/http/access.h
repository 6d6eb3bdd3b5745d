#pragma once
// Who may use the server: clients with the key, and pages in a browser only as far as they are allowed to.

#include <string>
#include <string_view>
#include <vector>

namespace diptych {

struct AccessRules {
  std::string api_key;               // empty: none is asked for
  std::vector<std::string> origins;  // of pages, such as "http://localhost:3000"; "*": of all
  bool loopback = true;              // the server listens to this machine alone
};

/** The headers of a request that tell where it comes from; empty where they are missing. */
struct RequestSource {
  std::string authorization;
  std::string origin;
  std::string host;
};

/** What may stand around the values of headers, and around keys that are to become some. */
constexpr std::string_view kHeaderBlanks = " \t\r\n";

/** Throws ApiError. 401: a key is asked for, and `authorization` is not "Bearer KEY" (the scheme in any case). 403,
 *  where no key is asked for: a page of an origin that is not allowed, which a browser sends here for any site that its
 *  user looks at; or, of a server of this machine alone, a Host that is a name of the internet, which a site can point
 *  at this machine. */
void check_access(const AccessRules& rules, const RequestSource& source);

/** What Access-Control-Allow-Origin tells a page of this origin; empty if it is not allowed. */
std::string allowed_origin(const AccessRules& rules, const std::string& origin);

/** Whether the text is "*" or the form of an origin: a scheme, a host and perhaps a port. */
bool is_origin(std::string_view text);

/** Whether a server that listens on `host` is reached from this machine alone. */
bool is_loopback_host(std::string_view host);

/** Whether the texts are equal, in a time that tells nothing about where they differ. */
bool equal_in_constant_time(std::string_view a, std::string_view b);

}  // namespace diptych
