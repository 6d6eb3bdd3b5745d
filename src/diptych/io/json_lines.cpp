#include "diptych/io/json_lines.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <nlohmann/json.hpp>

#include "diptych/base/error.h"
#include "diptych/base/text_format.h"
#include "diptych/io/atomic_file.h"
#include "diptych/io/files.h"
#include "diptych/io/json.h"

namespace diptych {

namespace fs = std::filesystem;
using nlohmann::json;

namespace {

[[noreturn]] void fail_to_append(const fs::path& path) {
  const int code = errno;
  throw Error(ExitCode::io, {path.string(), "a file that can be appended to", std::strerror(code),
                             code == ENOSPC ? "free space on that disk" : ""});
}

json parse_line(std::string_view text, const fs::path& path, int64_t number) {
  JsonFault fault;
  std::optional<json> value = parse_json(text, &fault);
  if (!value)
    throw Error(ExitCode::data, {cat(path.string(), ":", number), "one JSON value a line", fault.message, ""});
  return *std::move(value);
}

/** Calls visit(line number, text without its end, whether the end was there) until it returns false. */
template <class Visit>
void split_lines(std::string_view contents, const Visit& visit) {
  for (int64_t number = 1; !contents.empty(); ++number) {
    const size_t end = contents.find('\n');
    if (!visit(number, contents.substr(0, end), end != contents.npos) || end == contents.npos) return;
    contents.remove_prefix(end + 1);
  }
}

bool is_blank(std::string_view text) {
  return text.find_first_not_of(" \t\r") == text.npos;
}

bool is_above(const json& value, int64_t step) {
  if (!value.is_object()) return false;
  const auto field = value.find("step");
  return field != value.end() && field->is_number_integer() && field->get<int64_t>() > step;
}

void end_last_line(const fs::path& path) {
  const std::string contents = fs::exists(path) ? read_file(path) : "";
  if (contents.empty() || contents.back() == '\n') return;
  const size_t start = contents.rfind('\n') + 1;  // 0 if there is no other line
  const bool is_whole = json::accept(contents.substr(start));
  write_file_atomic(path, is_whole ? contents + "\n" : contents.substr(0, start));
}

}  // namespace

JsonLinesWriter::JsonLinesWriter(const fs::path& path) : path_(path) {
  end_last_line(path);
  descriptor_ = ::open(path.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0666);
  if (descriptor_ < 0) fail_to_append(path_);
}

JsonLinesWriter::~JsonLinesWriter() {
  ::close(descriptor_);
}

void JsonLinesWriter::write(const json& value) {
  // Sampled texts can end inside a character, so bytes that are no UTF-8 are replaced instead of refused.
  const std::string line = value.dump(-1, ' ', false, json::error_handler_t::replace) + "\n";
  if (!write_all(descriptor_, line.data(), line.size())) fail_to_append(path_);
}

void read_json_lines(const fs::path& path, const std::function<void(int64_t, const json&)>& visit) {
  const std::string contents = read_file(path);
  split_lines(contents, [&](int64_t number, std::string_view text, bool) {
    if (!is_blank(text)) visit(number, parse_line(text, path, number));
    return true;
  });
}

int64_t keep_lines_up_to_step(const fs::path& path, int64_t step) {
  if (!fs::exists(path)) return 0;
  const std::string contents = read_file(path);
  size_t kept_bytes = 0;
  int64_t kept_lines = 0;
  split_lines(contents, [&](int64_t number, std::string_view text, bool is_ended) {
    if (!is_ended || (!is_blank(text) && is_above(parse_line(text, path, number), step))) return false;
    kept_bytes += text.size() + 1;
    ++kept_lines;
    return true;
  });
  write_file_atomic(path, std::string_view(contents).substr(0, kept_bytes));
  return kept_lines;
}

}  // namespace diptych
