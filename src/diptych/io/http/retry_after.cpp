#include "diptych/io/http/retry_after.h"

#include <curl/curl.h>

#include <algorithm>

namespace diptych {

namespace {
constexpr size_t kMostDigits = 9;  // about 30 years
}

std::optional<double> retry_after_seconds(const std::string& header, std::time_t now) {
  if (header.empty()) return std::nullopt;
  if (header.find_first_not_of("0123456789") == std::string::npos)
    return header.size() <= kMostDigits ? std::optional<double>(std::stod(header)) : std::nullopt;
  const std::time_t date = curl_getdate(header.c_str(), nullptr);
  if (date == -1) return std::nullopt;
  return std::max(0.0, std::difftime(date, now));
}

}  // namespace diptych
