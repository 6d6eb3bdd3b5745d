#include "diptych/serve/requests/request_images.h"

#include <algorithm>
#include <semaphore>

#include "diptych/base/text_format.h"
#include "diptych/io/image/resize.h"
#include "diptych/model/bagel/image_input.h"
#include "diptych/serve/api_error.h"

namespace diptych {

namespace {

constexpr int kDecodedAtOnce = 4;  // images of all requests

class DecodingTurn {
 public:
  DecodingTurn() { turns().acquire(); }
  ~DecodingTurn() { turns().release(); }
  DecodingTurn(const DecodingTurn&) = delete;
  DecodingTurn& operator=(const DecodingTurn&) = delete;

 private:
  static std::counting_semaphore<kDecodedAtOnce>& turns() {
    static std::counting_semaphore<kDecodedAtOnce> semaphore(kDecodedAtOnce);
    return semaphore;
  }
};

// The engine resizes by the same rule, which leaves a size that it has made as it is: the model sees the same bytes.
Image shrunk(Image image, const ImageTransformConfig& transform) {
  if (transform.max_long == 0) return image;
  const auto [width, height] =
      resized_size(image.width, image.height, {transform.max_long, transform.min_short, transform.stride});
  const bool is_smaller = int64_t{width} * height < int64_t{image.width} * image.height;
  return is_smaller ? resized(image, transform) : image;
}

}  // namespace

Image RequestImages::take(const std::string& param, const std::function<Image(int64_t most)>& decode) {
  if (images_ == settings_.max_request_images)
    throw invalid_request(cat("a request may have ", settings_.max_request_images, " images"), param,
                          "too_many_images");
  ++images_;
  const int64_t all = kMostRequestPixels * settings_.max_image_pixels;
  const int64_t most = std::min(settings_.max_image_pixels, all - pixels_);
  const DecodingTurn turn;
  Image image;
  try {
    image = decode(most);
  } catch (const ApiError& error) {
    if (most == settings_.max_image_pixels) throw;
    throw invalid_request(cat(error.what(), "; all images of a request may have ", all, " pixels together"), param,
                          error.code);
  }
  pixels_ += int64_t{image.width} * image.height;
  return shrunk(std::move(image), settings_.image_transform);
}

}  // namespace diptych
