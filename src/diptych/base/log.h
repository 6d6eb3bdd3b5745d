#pragma once
// Log lines of the program, on standard error. Libraries log rarely: results travel as values.

#include <string>

namespace diptych {

void log_info(const std::string& line);
void log_warning(const std::string& line);
void log_error(const std::string& line);

}  // namespace diptych
