#include "diptych/model/config/config_object.h"

#include <algorithm>
#include <cmath>

#include "diptych/base/error.h"
#include "diptych/base/text_format.h"
#include "diptych/io/files.h"
#include "diptych/io/json.h"

namespace diptych {

namespace fs = std::filesystem;
using nlohmann::json;

namespace {

constexpr int64_t kLargestSize = int64_t{1} << 20;
constexpr size_t kLongestValue = 200;  // characters of a value in an error

bool is_size(const json& value) {
  return value.is_number_integer() && value.get<int64_t>() > 0 && value.get<int64_t>() <= kLargestSize;
}

std::string text_of(const NumberRange& range) {
  return cat("a number ", range.from_low ? "from " : "above ", range.low, range.from_low ? " to " : " and up to ",
             range.high);
}

/** What stands in a line around a place, without blanks in front; at most some 80 characters. */
std::string line_around(const std::string& text, size_t place) {
  const size_t newline = text.rfind('\n', place == 0 ? 0 : place - 1);
  const size_t start = std::max(newline == std::string::npos ? 0 : newline + 1, place > 60 ? place - 60 : 0);
  const size_t end = std::min({text.find('\n', start), text.size(), place + 20});
  const size_t first = std::min(text.find_first_not_of(" \t", start), end);
  return text.substr(first, end - first);
}

}  // namespace

void refuse_key(const ConfigObject& object, const std::string& key, const std::string& expected,
                const std::string& got) {
  const bool is_long = got.size() > kLongestValue;
  throw Error(ExitCode::model, {.where = cat(object.file.string(), ": ", object.prefix, key),
                                .expected = expected,
                                .got = is_long ? got.substr(0, kLongestValue) + "..." : got,
                                .hint = "compare the file with the published model folder"});
}

ConfigObject open_config(const fs::path& file) {
  if (!fs::exists(file))
    throw Error(ExitCode::model, {file.string(), "a file of the model folder", "no such file",
                                  "is the folder complete? docs/troubleshooting.md lists its files"});
  const std::string text = read_file(file);
  JsonFault fault;
  std::optional<json> values = parse_json(text, &fault);
  if (!values) {
    const size_t place = std::min(fault.byte, text.size());
    const auto line = 1 + std::count(text.begin(), text.begin() + static_cast<std::ptrdiff_t>(place), '\n');
    throw Error(ExitCode::model, {fault.byte == 0 ? file.string() : cat(file.string(), ":", line), "valid JSON",
                                  fault.byte == 0 ? fault.message : cat(line_around(text, place), ": ", fault.message),
                                  "JSON knows no comments and no NaN; or the file is cut off"});
  }
  const ConfigObject object{file, "", *std::move(values)};
  if (!object.values.is_object()) refuse_key(object, "whole file", "a JSON object", object.values.dump());
  return object;
}

ConfigObject nested(const ConfigObject& object, const std::string& key) {
  const json& value = value_of(object, key);
  if (!value.is_null() && !value.is_object()) refuse_key(object, key, "an object", value.dump());
  return {object.file, cat(object.prefix, key, '.'), value.is_null() ? json::object() : value};
}

const json& value_of(const ConfigObject& object, const std::string& key) {
  static const json kNone;
  const auto found = object.values.find(key);
  return found == object.values.end() ? kNone : *found;
}

void read_key(const ConfigObject& object, const std::string& key, int64_t& value) {
  const json& stated = value_of(object, key);
  if (stated.is_null()) return;
  if (!is_size(stated)) refuse_key(object, key, cat("a positive integer up to ", kLargestSize), stated.dump());
  value = stated.get<int64_t>();
}

void require_key(const ConfigObject& object, const std::string& key, int64_t& value) {
  if (value_of(object, key).is_null())
    refuse_key(object, key, "a positive integer", object.values.contains(key) ? "null" : "no such key");
  read_key(object, key, value);
}

void read_key(const ConfigObject& object, const std::string& key, double& value, const NumberRange& range) {
  const json& stated = value_of(object, key);
  if (stated.is_null()) return;
  const double number = stated.is_number() ? stated.get<double>() : std::nan("");
  const bool is_inside = number <= range.high && (range.from_low ? number >= range.low : number > range.low);
  if (!is_inside) refuse_key(object, key, text_of(range), stated.dump());
  value = number;
}

void read_key(const ConfigObject& object, const std::string& key, bool& value) {
  const json& stated = value_of(object, key);
  if (stated.is_null()) return;
  if (!stated.is_boolean()) refuse_key(object, key, "true or false", stated.dump());
  value = stated.get<bool>();
}

void read_key(const ConfigObject& object, const std::string& key, std::vector<int64_t>& values) {
  const json& stated = value_of(object, key);
  if (stated.is_null()) return;
  if (!stated.is_array() || stated.empty() || !std::all_of(stated.begin(), stated.end(), is_size))
    refuse_key(object, key, cat("a list of positive integers up to ", kLargestSize), stated.dump());
  values = stated.get<std::vector<int64_t>>();
}

}  // namespace diptych
