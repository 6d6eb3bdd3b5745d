#pragma once
// JSON lines files: one JSON value a line, for metrics and samples.

#include <cstdint>
#include <filesystem>
#include <functional>
#include <nlohmann/json_fwd.hpp>

namespace diptych {

/** Appends lines to a file. Each line goes out in one system call, so a killed process leaves whole lines, and readers
 *  see each at once. NaN and infinity are written as null: a null in the place of a number means "not finite", and an
 *  absent field "no value"; callers leave fields out and never write null themselves. */
class JsonLinesWriter {
 public:
  /** Opens for append, creating the file. A last line without its end is what a power cut left: it is ended if it is
   *  valid JSON and cut off otherwise. Throws Error(io). */
  explicit JsonLinesWriter(const std::filesystem::path& path);
  ~JsonLinesWriter();
  JsonLinesWriter(const JsonLinesWriter&) = delete;
  JsonLinesWriter& operator=(const JsonLinesWriter&) = delete;

  /** Throws Error(io), for example when the disk is full. */
  void write(const nlohmann::json& value);

 private:
  std::filesystem::path path_;
  int descriptor_ = -1;
};

/** Calls visit(line number from 1, value) for each line; blank lines are skipped. Throws Error(io) for a missing file
 *  and Error(data) with file:line for bad JSON. */
void read_json_lines(const std::filesystem::path& path,
                     const std::function<void(int64_t line, const nlohmann::json& value)>& visit);

/** Cuts a file back for a resume: keeps the leading lines up to the first whose integer field "step" is above `step`
 *  (lines without that field stay with their predecessors), drops an unfinished last line, and replaces the file
 *  atomically. Returns how many lines stay. A missing file counts as empty. Throws Error(data) for bad JSON. */
int64_t keep_lines_up_to_step(const std::filesystem::path& path, int64_t step);

}  // namespace diptych
