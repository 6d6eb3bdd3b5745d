#include "diptych/data/data_lines.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "diptych/base/error.h"
#include "diptych/base/text_format.h"
#include "diptych/io/files.h"
#include "diptych/io/json.h"
#include "diptych/text/unicode.h"

namespace diptych {

namespace fs = std::filesystem;
using nlohmann::json;

void visit_data_lines(const fs::path& path,
                      const std::function<void(const std::string& where, std::string_view text)>& visit) {
  if (!fs::is_regular_file(path)) {
    throw Error(ExitCode::data,
                {path.string(), "a data file", fs::exists(path) ? "a folder or device" : "nothing there",
                 cat("check the path; the current folder is ", fs::current_path().string())});
  }
  const std::string contents = read_file(path);
  std::string_view rest = contents;
  if (rest.starts_with("\xef\xbb\xbf")) rest.remove_prefix(3);
  for (int64_t number = 1; !rest.empty(); ++number) {
    const size_t end = std::min(rest.find('\n'), rest.size());
    const std::string_view text = trim(rest.substr(0, end));
    if (!text.empty()) visit(cat(path.string(), ":", number), text);
    rest.remove_prefix(std::min(end + 1, rest.size()));
  }
}

void check_utf8(const std::string& where, std::string_view text) {
  const std::string repaired = repair_utf8(text);
  if (repaired == text) return;
  const auto byte = std::mismatch(text.begin(), text.end(), repaired.begin(), repaired.end()).first - text.begin();
  throw Error(ExitCode::data, {where, "text in UTF-8", cat("an invalid byte at position ", byte + 1),
                               "convert the file, for example with iconv -t UTF-8"});
}

json parse_object(const std::string& where, std::string_view text) {
  check_utf8(where, text);
  JsonFault fault;
  std::optional<json> value = parse_json(text, &fault);
  if (!value) {
    const std::string place = fault.byte == 0 ? "" : cat(" at byte ", fault.byte);
    throw Error(ExitCode::data, {where, "one JSON object a line", cat("broken JSON", place, ": ", fault.message), ""});
  }
  if (!value->is_object())
    throw Error(ExitCode::data, {where, "a JSON object", cat("a JSON ", value->type_name()), ""});
  return *std::move(value);
}

std::string text_field(const std::string& where, const json& object, const std::string& key) {
  const json& value = object.at(key);
  if (!value.is_string()) {
    throw Error(ExitCode::data, {where, cat("a string for '", key, "'"), cat("a JSON ", value.type_name()),
                                 value.is_null() ? "leave the key out where there is no value" : ""});
  }
  const std::string& text = value.get_ref<const std::string&>();
  if (trim(text).empty()) throw Error(ExitCode::data, {where, cat("text for '", key, "'"), "an empty string", ""});
  return text;
}

}  // namespace diptych
