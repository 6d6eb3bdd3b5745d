#include "diptych/base/error.h"

namespace diptych {

namespace {
std::string sentence(const ErrorText& text) {
  std::string line = text.where + ": expected " + text.expected + ", got " + text.got;
  if (!text.hint.empty()) line += "\n  hint: " + text.hint;
  return line;
}
}  // namespace

Error::Error(ExitCode code, const ErrorText& text) : Error(code, sentence(text)) {}

Error::Error(ExitCode code, const std::string& sentence) : std::runtime_error(sentence), code_(code) {}

Error Error::with_line(const std::string& line) const {
  return {code_, std::string(what()) + "\n  " + line};
}

}  // namespace diptych
