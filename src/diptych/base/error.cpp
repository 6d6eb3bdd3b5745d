#include "diptych/base/error.h"

namespace diptych {

namespace {
std::string sentence(const ErrorText& text) {
  std::string line = text.where + ": expected " + text.expected + ", got " + text.got;
  if (!text.hint.empty()) line += "\n  hint: " + text.hint;
  return line;
}
}  // namespace

Error::Error(ExitCode code, const ErrorText& text) : std::runtime_error(sentence(text)), code_(code) {}

}  // namespace diptych
