#pragma once
// Pictures inside a page, small enough for hundreds of them.

#include <filesystem>
#include <string>

#include "diptych/io/image/image.h"

namespace diptych {

/** The picture as a `data:` URI: with the very same pixels as PNG where neither side is longer than `longest` and it is
 *  small, else scaled down to `longest` as JPEG. */
std::string thumbnail_uri(const Image& image, int longest);

/** <img> of that picture, `shown` CSS pixels high; small ones with sharp pixels. */
std::string thumbnail_html(const Image& image, int shown, const std::string& alt, const std::string& css_class);

}  // namespace diptych
