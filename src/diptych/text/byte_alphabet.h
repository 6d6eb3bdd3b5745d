#pragma once
// The printable spelling of bytes in the vocabulary files of byte-level BPE (GPT-2, encoder.py, bytes_to_unicode).

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace diptych {

/** UTF-8 of the character that stands for each byte: printable Latin-1 bytes stand for themselves, the other 68 bytes
 * are U+0100 upwards in byte order (space is U+0120). */
const std::array<std::string, 256>& byte_characters();

/** All 256 bytes in the usual vocabulary order: the printable ones first, then the others. */
const std::vector<uint8_t>& bytes_in_vocabulary_order();

/** The bytes a token stands for, or nothing if a character of it is outside the alphabet. `token` is valid UTF-8. */
std::optional<std::string> token_bytes(std::string_view token);

}  // namespace diptych
