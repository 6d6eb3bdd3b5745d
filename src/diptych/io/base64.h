#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace diptych {

/** The standard alphabet with padding, no line breaks (RFC 4648, section 4). */
std::string base64_encode(std::span<const uint8_t> bytes);

/** The bytes of a text in that form or in those that other encoders write: with blanks and line breaks anywhere, in the
 *  alphabet for addresses ('-' and '_', section 5), with all, some or no padding. Nothing for any other text. */
std::optional<std::vector<uint8_t>> base64_decode(std::string_view text);

}  // namespace diptych
