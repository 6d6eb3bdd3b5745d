#include "diptych/serve/json_fields.h"

#include <random>

#include "diptych/base/text_format.h"
#include "diptych/serve/api_error.h"

namespace diptych {

namespace {

constexpr int kDeepest = 32;
constexpr int64_t kMostValues = 1'000'000;

ApiError wrong_type(const char* key, const std::string& expected, const nlohmann::json& value) {
  return invalid_request(cat("'", key, "' must be ", expected, ", not ", value.type_name()), key);
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
  } catch (const nlohmann::json::exception&) {
    throw invalid_request("the body is not valid JSON");
  }
}

const nlohmann::json* find_field(const nlohmann::json& object, const char* key) {
  const auto found = object.find(key);
  return found == object.end() || found->is_null() ? nullptr : &*found;
}

double number_field(const nlohmann::json& object, const char* key, double fallback, double least, double most) {
  const nlohmann::json* value = find_field(object, key);
  if (value == nullptr) return fallback;
  const std::string expected = cat("a number from ", least, " to ", most);
  if (!value->is_number()) throw wrong_type(key, expected, *value);
  const double number = value->get<double>();
  if (!(number >= least && number <= most))
    throw invalid_request(cat("'", key, "' must be ", expected, ", not ", number), key);
  return number;
}

int64_t integer_field(const nlohmann::json& object, const char* key, int64_t fallback, int64_t least, int64_t most) {
  const nlohmann::json* value = find_field(object, key);
  if (value == nullptr) return fallback;
  const std::string expected = cat("an integer from ", least, " to ", most);
  if (!value->is_number_integer()) throw wrong_type(key, expected, *value);
  const bool fits = !value->is_number_unsigned() || value->get<uint64_t>() <= uint64_t{INT64_MAX};
  if (!fits || value->get<int64_t>() < least || value->get<int64_t>() > most)
    throw invalid_request(cat("'", key, "' must be ", expected, ", not ", value->dump()), key);
  return value->get<int64_t>();
}

bool bool_field(const nlohmann::json& object, const char* key, bool fallback) {
  const nlohmann::json* value = find_field(object, key);
  if (value == nullptr) return fallback;
  if (!value->is_boolean()) throw wrong_type(key, "true or false", *value);
  return value->get<bool>();
}

std::string string_field(const nlohmann::json& object, const char* key, const std::string& fallback) {
  const nlohmann::json* value = find_field(object, key);
  if (value == nullptr) return fallback;
  if (!value->is_string()) throw wrong_type(key, "a string", *value);
  return value->get<std::string>();
}

uint64_t seed_field(const nlohmann::json& object) {
  const nlohmann::json* value = find_field(object, "seed");
  if (value == nullptr) {
    std::random_device source;
    return uint64_t{source()} << 32 | source();
  }
  if (!value->is_number_integer()) throw wrong_type("seed", "an integer", *value);
  return value->is_number_unsigned() ? value->get<uint64_t>() : static_cast<uint64_t>(value->get<int64_t>());
}

}  // namespace diptych
