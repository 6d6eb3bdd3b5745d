#include "diptych/serve/requests/request_image.h"

#include "diptych/base/error.h"
#include "diptych/base/text_format.h"
#include "diptych/io/data_uri.h"
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
  if (!is_data_uri(uri))
    throw invalid_request(cat("'", param, "' must be a data URI: this server fetches no addresses"), param,
                          "invalid_image_url");
  try {
    return image_of_bytes(decode_data_uri(uri, param), param, max_pixels);
  } catch (const Error& error) {
    throw invalid_request(error.what(), param, "invalid_image");
  }
}

Image image_of_json(const nlohmann::json& value, const std::string& param, int64_t max_pixels) {
  const nlohmann::json* uri = &value;
  if (value.is_object() && value.contains("url")) uri = &value["url"];
  if (!uri->is_string()) throw invalid_request(cat("'", param, "' must be an object with a string 'url'"), param);
  return image_of_uri(uri->get_ref<const std::string&>(), param, max_pixels);
}

}  // namespace diptych
