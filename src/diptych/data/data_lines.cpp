#include "diptych/data/data_lines.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>

#include "diptych/base/ascii.h"
#include "diptych/base/error.h"
#include "diptych/base/log.h"
#include "diptych/base/text_format.h"
#include "diptych/io/files.h"
#include "diptych/io/json.h"
#include "diptych/text/unicode.h"

namespace diptych {

namespace fs = std::filesystem;
using nlohmann::json;

namespace {

constexpr std::string_view kByteOrderMark = "\xef\xbb\xbf";

void refuse_utf16(const fs::path& path, std::string_view contents) {
  if (!contents.starts_with("\xff\xfe") && !contents.starts_with("\xfe\xff")) return;
  throw Error(ExitCode::data, {path.string(), "text in UTF-8", "UTF-16, by its byte order mark",
                               "convert the file, for example with iconv -f UTF-16 -t UTF-8"});
}

/** Takes the first line, without its end, off the text. */
std::string_view take_line(std::string_view* rest) {
  const size_t end = std::min(rest->find_first_of("\r\n"), rest->size());
  const std::string_view line = rest->substr(0, end);
  rest->remove_prefix(end);
  rest->remove_prefix(rest->starts_with("\r\n") ? 2 : std::min<size_t>(1, rest->size()));
  return line;
}

/** A key that an object of the text has twice; empty if there is none. */
std::string repeated_key(std::string_view text) {
  std::vector<std::set<std::string>> open;  // the keys of the objects around a place
  std::string repeated;
  [[maybe_unused]] const json value = json::parse(text, [&](int, json::parse_event_t event, json& parsed) {
    if (event == json::parse_event_t::object_start) open.emplace_back();
    if (event == json::parse_event_t::object_end) open.pop_back();
    if (event == json::parse_event_t::key && !open.back().insert(parsed.get<std::string>()).second)
      repeated = parsed.get<std::string>();
    return true;
  });
  return repeated;
}

}  // namespace

LineCounts visit_data_lines(const fs::path& path,
                            const std::function<void(const std::string& where, std::string_view text)>& visit) {
  if (!fs::is_regular_file(path)) {
    throw Error(ExitCode::data,
                {path.string(), "a data file", fs::exists(path) ? "a folder or device" : "nothing there",
                 cat("check the path; the current folder is ", fs::current_path().string())});
  }
  const std::string contents = read_file(path);
  refuse_utf16(path, contents);
  const bool is_plain_text = path.extension() == ".txt";
  LineCounts counts;
  for (std::string_view rest = contents; !rest.empty();) {
    std::string_view line = take_line(&rest);
    ++counts.lines;
    if (line.starts_with(kByteOrderMark)) line.remove_prefix(kByteOrderMark.size());
    const std::string_view text = trimmed(line);
    if (text.empty()) {
      ++counts.blank;
    } else if (is_plain_text && text.starts_with('#')) {
      ++counts.comments;
    } else {
      if (is_plain_text && text.size() < line.size()) ++counts.trimmed;
      visit(cat(path.string(), ":", counts.lines), text);
    }
  }
  return counts;
}

std::string skipped_lines(const LineCounts& counts) {
  std::vector<std::string> reasons;
  if (counts.blank > 0) reasons.push_back(cat(counts.blank, " blank"));
  if (counts.comments > 0)
    reasons.push_back(cat(counts.comments, counts.comments == 1 ? " that begins" : " that begin", " with #"));
  return join(reasons, ", ");
}

void log_skipped_lines(const fs::path& path, const LineCounts& counts) {
  const int64_t skipped = counts.blank + counts.comments;
  std::vector<std::string> parts;
  if (skipped > 0) parts.push_back(cat(skipped, " of ", counts.lines, " lines passed over: ", skipped_lines(counts)));
  if (counts.trimmed > 0) parts.push_back(cat("blanks cut off the ends of ", counts.trimmed));
  if (!parts.empty()) log_info(cat(path.string(), ": ", join(parts, "; ")));
}

void check_utf8(const std::string& where, std::string_view text) {
  const size_t zero = text.find('\0');
  if (zero != text.npos)
    throw Error(ExitCode::data, {where, "text in UTF-8", cat("a zero byte at position ", zero + 1),
                                 "is the file in UTF-16, or damaged? iconv -f UTF-16LE -t UTF-8 converts it"});
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
  if (const std::string key = repeated_key(text); !key.empty())
    throw Error(ExitCode::data, {where, "each key once", cat("'", key, "' twice in one object"), ""});
  return *std::move(value);
}

std::string text_field(const std::string& where, const json& object, const std::string& key) {
  const json& value = object.at(key);
  if (!value.is_string()) {
    throw Error(ExitCode::data, {where, cat("a string for '", key, "'"), cat("a JSON ", value.type_name()),
                                 value.is_null() ? "leave the key out where there is no value" : ""});
  }
  const std::string& text = value.get_ref<const std::string&>();
  if (trimmed(text).empty()) throw Error(ExitCode::data, {where, cat("text for '", key, "'"), "an empty string", ""});
  return text;
}

}  // namespace diptych
