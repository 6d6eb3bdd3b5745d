#pragma once

#include <ctime>
#include <optional>
#include <string>

namespace diptych {

/** Seconds to wait that a Retry-After header asks for (RFC 9110, 10.2.3): a whole number of seconds or an HTTP date,
 *  which is compared with `now`; a date in the past is 0. Nothing for an empty or malformed value. */
std::optional<double> retry_after_seconds(const std::string& header, std::time_t now);

}  // namespace diptych
