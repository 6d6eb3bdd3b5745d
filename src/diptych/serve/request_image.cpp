#include "diptych/serve/request_image.h"

#include "diptych/base/error.h"
#include "diptych/base/text_format.h"
#include "diptych/io/base64.h"
#include "diptych/serve/api_error.h"

namespace diptych {

Image image_of_bytes(std::span<const uint8_t> bytes, const std::string& param, int64_t max_pixels) {
  try {
    return decode_image(bytes, param, static_cast<uint64_t>(max_pixels));
  } catch (const Error& error) {
    throw invalid_request(error.what(), param, "invalid_image");
  }
}

Image image_of_uri(const std::string& uri, const std::string& param, int64_t max_pixels) {
  if (!uri.starts_with("data:"))
    throw invalid_request(cat("'", param, "' must be a data URI: this server fetches no addresses"), param,
                          "invalid_image_url");
  constexpr std::string_view kMark = ";base64,";
  const size_t comma = uri.find(',');
  if (comma == std::string::npos || !std::string_view(uri).substr(0, comma + 1).ends_with(kMark))
    throw invalid_request(cat("'", param, "' must have the form data:image/png;base64,..."), param,
                          "invalid_image_url");
  const auto bytes = base64_decode(std::string_view(uri).substr(comma + 1));
  if (!bytes) throw invalid_request(cat("'", param, "' is not valid base64"), param, "invalid_image");
  return image_of_bytes(*bytes, param, max_pixels);
}

Image image_of_json(const nlohmann::json& value, const std::string& param, int64_t max_pixels) {
  const nlohmann::json* uri = &value;
  if (value.is_object() && value.contains("url")) uri = &value["url"];
  if (!uri->is_string()) throw invalid_request(cat("'", param, "' must be an object with a string 'url'"), param);
  return image_of_uri(uri->get_ref<const std::string&>(), param, max_pixels);
}

}  // namespace diptych
