#pragma once
// The memory that the images of a request may take: a file of a few kilobytes can hold millions of pixels.

#include <functional>

#include "diptych/serve/requests/settings.h"

namespace diptych {

/** Takes the images of one request: not too many, not too many pixels together, few of all requests decoded at a time,
 *  and none kept larger than the model sees it. */
class RequestImages {
 public:
  explicit RequestImages(const ServeSettings& settings) : settings_(settings) {}

  /** What `decode` makes, of at most `most` pixels. Throws ApiError (400) that names `param`. */
  Image take(const std::string& param, const std::function<Image(int64_t most)>& decode);

 private:
  const ServeSettings& settings_;
  int64_t images_ = 0;
  int64_t pixels_ = 0;
};

}  // namespace diptych
