#pragma once
// Lines of users' data files.

#include <cstdint>
#include <filesystem>
#include <functional>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>

namespace diptych {

/** What became of the lines of a file. */
struct LineCounts {
  int64_t lines = 0;
  int64_t blank = 0;     // passed over
  int64_t comments = 0;  // the same: begin with # in a file of plain text
  int64_t trimmed = 0;   // of plain text: had blanks at an end, which are no part of the prompt
};

/** Calls visit("file:line", text) for each line that is neither blank nor, in a file named .txt, a comment: begins with
 *  '#'. White space at both ends is trimmed. Lines end with \n, \r\n or \r, the last one also without; a byte order
 * mark ahead of a line is dropped. Throws Error(data) if there is no such file or it is in UTF-16, and Error(io) if it
 *  cannot be read. */
LineCounts visit_data_lines(const std::filesystem::path& path,
                            const std::function<void(const std::string& where, std::string_view text)>& visit);

/** Such as "2 blank, 1 that begins with #": the lines that were passed over; empty if there are none. */
std::string skipped_lines(const LineCounts& counts);

/** Logs how many lines were passed over and why, and how many were trimmed, if any were. */
void log_skipped_lines(const std::filesystem::path& path, const LineCounts& counts);

/** Throws Error(data) unless the text is valid UTF-8 without zero bytes. */
void check_utf8(const std::string& where, std::string_view text);

/** The JSON object of a line. Throws Error(data) for anything else, and for an object that has a key twice: one of the
 *  values would be lost. */
nlohmann::json parse_object(const std::string& where, std::string_view text);

/** The text under a key of the object, which must be there. Throws Error(data) for another type and for blank text. */
std::string text_field(const std::string& where, const nlohmann::json& object, const std::string& key);

}  // namespace diptych
