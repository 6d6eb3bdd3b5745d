#pragma once
// multipart/form-data bodies (RFC 7578).

#include <string>
#include <string_view>
#include <vector>

namespace diptych {

struct FormPart {
  std::string name;
  std::string filename;      // empty: a plain field
  std::string_view content;  // inside the body
};

/** Parts of a body in order. `content_type` is the header that names the boundary. Throws ApiError (400) on bodies of
 *  another form, and above 64 parts. */
std::vector<FormPart> parse_multipart(std::string_view body, std::string_view content_type);

}  // namespace diptych
