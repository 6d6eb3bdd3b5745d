#pragma once
// A text that arrives token by token, handed on in whole characters and without its stop strings.

#include <string>
#include <string_view>
#include <vector>

namespace diptych {

class TextAssembler {
 public:
  explicit TextAssembler(std::vector<std::string> stops = {}) : stops_(std::move(stops)) {}

  /** Takes the bytes of the next token; returns the text that is now certain. Bytes that are no UTF-8 become U+FFFD. */
  std::string push(std::string_view bytes);

  /** The rest of the text. */
  std::string finish();

  /** A stop string was met; the text ended in front of it. */
  bool stopped() const { return stopped_; }

 private:
  std::vector<std::string> stops_;
  std::string held_;  // not yet handed on
  bool stopped_ = false;
};

}  // namespace diptych
