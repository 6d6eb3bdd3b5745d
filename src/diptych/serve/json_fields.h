#pragma once
// Typed reading of JSON that a stranger wrote. Every failure is an ApiError of status 400 that names the field.

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

namespace diptych {

/** Parses a request body, an object. Refuses bodies that nest deeper than 32 or hold more than a million values, which
 *  would take far more memory than their bytes. */
nlohmann::json parse_object(std::string_view body);

/** The value of a key, or nullptr where it is missing or null. */
const nlohmann::json* find_field(const nlohmann::json& object, const char* key);

double number_field(const nlohmann::json& object, const char* key, double fallback, double least, double most);
int64_t integer_field(const nlohmann::json& object, const char* key, int64_t fallback, int64_t least, int64_t most);
bool bool_field(const nlohmann::json& object, const char* key, bool fallback);
std::string string_field(const nlohmann::json& object, const char* key, const std::string& fallback);

/** The seed of the request: any integer, or a fresh random number where there is none. */
uint64_t seed_field(const nlohmann::json& object);

}  // namespace diptych
