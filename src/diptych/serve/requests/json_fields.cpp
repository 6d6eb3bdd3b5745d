#include "diptych/serve/requests/json_fields.h"

#include <algorithm>
#include <cmath>
#include <optional>
#include <random>

#include "diptych/base/text_format.h"
#include "diptych/serve/api_error.h"

namespace diptych {

namespace {

constexpr int kDeepest = 32;
constexpr int64_t kMostValues = 1'000'000;
constexpr size_t kLongestShown = 60;   // bytes of a value in an error
constexpr size_t kLongestFault = 200;  // bytes: the library quotes all of what it stumbled over

ApiError wrong_value(const char* key, const std::string& expected, const nlohmann::json& value) {
  return invalid_request(cat("'", key, "' must be ", expected, ", not ", shown_json(value)), key);
}

/** What stands in the library's message behind its own name of the error. */
std::string fault_of(const nlohmann::json::exception& error) {
  const std::string_view message = error.what();
  const size_t end = message.find("] ");
  return std::string(message.substr(end == message.npos ? 0 : end + 2, kLongestFault));
}

/** The integer that a JSON number is, or nothing where it has a fraction or does not fit. */
std::optional<int64_t> whole_number(const nlohmann::json& value) {
  if (value.is_number_float()) {
    const double number = value.get<double>();
    const bool fits = number == std::floor(number) && number >= -0x1p63 && number < 0x1p63;
    return fits ? std::optional(static_cast<int64_t>(number)) : std::nullopt;
  }
  if (!value.is_number()) return std::nullopt;
  if (value.is_number_unsigned() && value.get<uint64_t>() > uint64_t{INT64_MAX}) return std::nullopt;
  return value.get<int64_t>();
}

}  // namespace

nlohmann::json parse_object(std::string_view body) {
  int64_t values = 0;
  const auto guard = [&](int depth, nlohmann::json::parse_event_t, nlohmann::json&) {
    if (depth > kDeepest || ++values > kMostValues) throw invalid_request("the JSON of the body is too complex");
    return true;
  };
  try {
    nlohmann::json object = nlohmann::json::parse(body, guard);
    if (!object.is_object()) throw invalid_request("the body must be a JSON object");
    return object;
  } catch (const nlohmann::json::exception& error) {
    throw invalid_request("the body is not valid JSON: " + fault_of(error));
  }
}

const nlohmann::json* find_field(const nlohmann::json& object, const char* key) {
  const auto found = object.find(key);
  return found == object.end() || found->is_null() ? nullptr : &*found;
}

std::string shown_json(const nlohmann::json& value) {
  const std::string text = value.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
  return text.size() <= kLongestShown ? text : text.substr(0, kLongestShown) + "...";
}

double number_field(const nlohmann::json& object, const char* key, double fallback, double least, double most) {
  const nlohmann::json* value = find_field(object, key);
  if (value == nullptr) return fallback;
  const bool fits = value->is_number() && value->get<double>() >= least && value->get<double>() <= most;
  if (!fits) throw wrong_value(key, cat("a number from ", least, " to ", most), *value);
  return value->get<double>();
}

int64_t integer_field(const nlohmann::json& object, const char* key, int64_t fallback, int64_t least, int64_t most) {
  const nlohmann::json* value = find_field(object, key);
  if (value == nullptr) return fallback;
  const std::optional<int64_t> number = whole_number(*value);
  if (!number || *number < least || *number > most)
    throw wrong_value(key, cat("an integer from ", least, " to ", most), *value);
  return *number;
}

int64_t clamped_field(const nlohmann::json& object, const char* key, int64_t fallback, int64_t least, int64_t most) {
  const nlohmann::json* value = find_field(object, key);
  if (value == nullptr) return fallback;
  const bool whole = value->is_number() && value->get<double>() == std::floor(value->get<double>());
  if (!whole || value->get<double>() < static_cast<double>(least))
    throw wrong_value(key, cat("an integer of at least ", least), *value);
  return std::min(most, whole_number(*value).value_or(most));
}

bool bool_field(const nlohmann::json& object, const char* key, bool fallback) {
  const nlohmann::json* value = find_field(object, key);
  if (value == nullptr) return fallback;
  if (!value->is_boolean()) throw wrong_value(key, "true or false", *value);
  return value->get<bool>();
}

std::string string_field(const nlohmann::json& object, const char* key, const std::string& fallback) {
  const nlohmann::json* value = find_field(object, key);
  if (value == nullptr) return fallback;
  if (!value->is_string()) throw wrong_value(key, "a string", *value);
  return value->get<std::string>();
}

uint64_t seed_field(const nlohmann::json& object) {
  const nlohmann::json* value = find_field(object, "seed");
  if (value == nullptr || whole_number(*value) == -1) {
    std::random_device source;
    return uint64_t{source()} << 32 | source();
  }
  if (value->is_number_unsigned()) return value->get<uint64_t>();
  const std::optional<int64_t> number = whole_number(*value);
  if (!number) throw wrong_value("seed", "an integer of at most 64 bits", *value);
  return static_cast<uint64_t>(*number);
}

}  // namespace diptych
