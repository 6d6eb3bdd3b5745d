#include "diptych/reward/chat/chat_image.h"

#include "diptych/base/error.h"
#include "diptych/base/text_format.h"
#include "diptych/io/base64.h"
#include "diptych/io/files.h"

namespace diptych {

std::string image_data_uri(const ChatPart& part) {
  const Image& image = *part.image;
  const size_t bytes = static_cast<size_t>(image.width) * static_cast<size_t>(image.height) * 3;
  if (bytes == 0 || image.pixels.size() != bytes)
    throw Error(ExitCode::data, {"image for a judge", "three bytes a pixel and at least one pixel",
                                 cat(image.width, " x ", image.height, " with ", image.pixels.size(), " bytes"), ""});
  return part.encoding == ImageEncoding::png
             ? "data:image/png;base64," + base64_encode(encode_png(image))
             : "data:image/jpeg;base64," + base64_encode(encode_jpeg(image, part.jpeg_quality));
}

std::string image_digest(const ChatPart& part) {
  const Image& image = *part.image;
  const std::string encoding = part.encoding == ImageEncoding::png ? "png" : cat("jpeg", part.jpeg_quality);
  const auto* bytes = reinterpret_cast<const char*>(image.pixels.data());
  return cat(encoding, " ", image.width, "x", image.height, " ", hash_bytes({bytes, image.pixels.size()}));
}

}  // namespace diptych
