#include "diptych/serve/engine/text_assembler.h"

#include <algorithm>

#include "diptych/text/unicode.h"

namespace diptych {

namespace {

/** Bytes at the end that may become a character with the bytes to come. */
size_t unfinished_character(std::string_view text) {
  for (size_t back = 1; back <= std::min<size_t>(3, text.size()); ++back) {
    const auto byte = static_cast<unsigned char>(text[text.size() - back]);
    if (byte < 0x80) return 0;
    if (byte < 0xc0) continue;
    if (byte < 0xc2 || byte > 0xf4) return 0;  // begins no character
    const size_t length = byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : 2;
    return back < length ? back : 0;
  }
  return 0;
}

/** The longest end of the text that begins a stop string. */
size_t begun_stop(std::string_view text, const std::vector<std::string>& stops) {
  size_t longest = 0;
  for (const std::string& stop : stops)
    for (size_t length = std::min(text.size(), stop.size() - 1); length > longest; --length)
      if (stop.starts_with(text.substr(text.size() - length))) longest = length;
  return longest;
}

}  // namespace

std::string TextAssembler::push(std::string_view bytes) {
  held_ += bytes;
  size_t first = std::string::npos;
  for (const std::string& stop : stops_) first = std::min(first, held_.find(stop));
  if (first != std::string::npos) {
    stopped_ = true;
    held_.resize(first);
    return finish();
  }
  const size_t held_back = std::max(unfinished_character(held_), begun_stop(held_, stops_));
  const std::string certain = repair_utf8(std::string_view(held_).substr(0, held_.size() - held_back));
  held_.erase(0, held_.size() - held_back);
  return certain;
}

std::string TextAssembler::finish() {
  std::string rest = repair_utf8(held_);
  held_.clear();
  return rest;
}

}  // namespace diptych
