#pragma once
// Typed reading of JSON that a stranger wrote. Every failure is an ApiError of status 400 that names the field.

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

namespace diptych {

/** Parses a request body, an object. Refuses bodies that nest deeper than 32 or hold more than a million values, which
 *  would take far more memory than their bytes. An error tells line and column. */
nlohmann::json parse_object(std::string_view body);

/** The value of a key, or nullptr where it is missing or null. */
const nlohmann::json* find_field(const nlohmann::json& object, const char* key);

/** A value as an error quotes it: its JSON, cut off where it is long. */
std::string shown_json(const nlohmann::json& value);

double number_field(const nlohmann::json& object, const char* key, double fallback, double least, double most);

/** Numbers without a fraction are integers, however they are written: 5.0 and 5e0 as well as 5. */
int64_t integer_field(const nlohmann::json& object, const char* key, int64_t fallback, int64_t least, int64_t most);

/** The same, where what is larger than `most` becomes `most`. */
int64_t clamped_field(const nlohmann::json& object, const char* key, int64_t fallback, int64_t least, int64_t most);

bool bool_field(const nlohmann::json& object, const char* key, bool fallback);
std::string string_field(const nlohmann::json& object, const char* key, const std::string& fallback);

/** The seed of the request: any integer of 64 bits, or a fresh random number where there is none or it is -1. */
uint64_t seed_field(const nlohmann::json& object);

}  // namespace diptych
