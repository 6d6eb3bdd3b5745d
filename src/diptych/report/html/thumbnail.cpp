#include "diptych/report/html/thumbnail.h"

#include <algorithm>

#include "diptych/base/text_format.h"
#include "diptych/io/base64.h"
#include "diptych/io/image/resize.h"
#include "diptych/report/html/escape.h"

namespace diptych {

namespace {

constexpr int kLosslessPixels = 64 * 64 * 8;  // a strip of small frames too
constexpr int kThumbnailQuality = 85;
constexpr int kSharpSide = 96;  // shorter pictures show their pixels when enlarged

}  // namespace

std::string thumbnail_uri(const Image& image, int longest) {
  if (image.width * image.height <= kLosslessPixels) return "data:image/png;base64," + base64_encode(encode_png(image));
  const double scale = std::min(1.0, static_cast<double>(longest) / std::max(image.width, image.height));
  const auto side = [&](int pixels) { return std::max(1, static_cast<int>(pixels * scale)); };
  const Image small = scale < 1 ? resize_bicubic(image, side(image.width), side(image.height)) : image;
  return "data:image/jpeg;base64," + base64_encode(encode_jpeg(small, kThumbnailQuality));
}

std::string thumbnail_html(const Image& image, int shown, const std::string& alt, const std::string& css_class) {
  const int width = std::max(1, shown * image.width / std::max(1, image.height));
  // Twice the shown size, for screens with fine pixels.
  return cat("<img class=\"", css_class, image.height < kSharpSide ? " sharp" : "", "\" width=\"", width,
             "\" height=\"", shown, "\" loading=\"lazy\" alt=\"", escape_html(alt), "\" src=\"",
             thumbnail_uri(image, 2 * std::max(width, shown)), "\">");
}

}  // namespace diptych
