#pragma once

#include <string>
#include <string_view>

namespace diptych {

/** The text with everything replaced that means something in HTML, in text as in attributes. Control characters, which
 *  HTML does not allow, become U+FFFD; tabs and line breaks stay. */
std::string escape_html(std::string_view text);

}  // namespace diptych
