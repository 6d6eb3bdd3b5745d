#pragma once
// UTF-8 and the Unicode properties the tokenizer needs. Tables: utf8proc (2.8 carries Unicode 15.0).

#include <cstddef>
#include <string>
#include <string_view>

namespace diptych {

/** The bytes as valid UTF-8: each maximal invalid part becomes one U+FFFD, as Python's bytes.decode(errors="replace")
 *  does (Unicode standard, section 3.9, "maximal subpart"). Valid text is returned unchanged. */
std::string repair_utf8(std::string_view bytes);

/** The code point that starts at `*position` of valid UTF-8; moves `*position` past it. */
char32_t next_code_point(std::string_view utf8, std::size_t* position);

/** Appends one code point to a UTF-8 string. */
void append_code_point(std::string* utf8, char32_t code_point);

/** Unicode normalisation form C of valid UTF-8. */
std::string normalize_nfc(std::string_view utf8);

/** General category L*. */
bool is_letter(char32_t code_point);

/** General category N*. */
bool is_number(char32_t code_point);

/** Property White_Space: \s of Python's `regex` module (unlike str.isspace, without U+001C to U+001F). */
bool is_white_space(char32_t code_point);

}  // namespace diptych
