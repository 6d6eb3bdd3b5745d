#pragma once
// Lines of users' data files.

#include <filesystem>
#include <functional>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>

namespace diptych {

/** Calls visit("file:line", text) for each line that is not blank, white space trimmed. A byte order mark is dropped.
 *  Throws Error(data) if there is no such file, and Error(io) if it cannot be read. */
void visit_data_lines(const std::filesystem::path& path,
                      const std::function<void(const std::string& where, std::string_view text)>& visit);

/** Throws Error(data) unless the text is valid UTF-8. */
void check_utf8(const std::string& where, std::string_view text);

/** The JSON object of a line. Throws Error(data) for anything else. */
nlohmann::json parse_object(const std::string& where, std::string_view text);

/** The text under a key of the object, which must be there. Throws Error(data) for another type and for blank text. */
std::string text_field(const std::string& where, const nlohmann::json& object, const std::string& key);

}  // namespace diptych
