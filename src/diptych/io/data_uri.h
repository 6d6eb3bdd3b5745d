#pragma once
// Data in the place of an address (RFC 2397).

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace diptych {

/** Whether the text is a data URI, rather than an address of something elsewhere. */
bool is_data_uri(std::string_view uri);

/** The bytes of a base64 data URI as programs write them: "data:" and "base64" in any case, any media type or none,
 * further parameters, characters as %2B, base64 as in io/base64.h. Throws Error(data) that names `name` for a URI that
 * is not in base64, that is damaged, or that holds no bytes. */
std::vector<uint8_t> decode_data_uri(std::string_view uri, const std::string& name);

}  // namespace diptych
