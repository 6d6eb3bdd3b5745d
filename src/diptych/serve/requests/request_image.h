#pragma once
// Images as requests carry them.

#include <nlohmann/json.hpp>
#include <span>
#include <string>

#include "diptych/io/image/image.h"

namespace diptych {

/** The image of a base64 data URI in any of its forms (io/data_uri.h), PNG or JPEG whatever its media type says. Throws
 *  ApiError (400) that names `param`, also for other URIs: the server fetches nothing. */
Image image_of_uri(const std::string& uri, const std::string& param, int64_t max_pixels);

/** The same of `{"url": ...}`, or of the URI alone. */
Image image_of_json(const nlohmann::json& value, const std::string& param, int64_t max_pixels);

/** The same of a file's bytes. */
Image image_of_bytes(std::span<const uint8_t> bytes, const std::string& param, int64_t max_pixels);

}  // namespace diptych
