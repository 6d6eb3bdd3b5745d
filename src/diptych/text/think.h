#pragma once
// The form `<think> reasoning </think> answer`.

#include <string>
#include <string_view>

namespace diptych {

struct ThinkText {
  std::string reasoning;
  std::string answer;
  bool well_formed;  // exactly one <think>, at the start, and exactly one </think>, after it; the thought may be empty
};

/** Splits a sampled text, all parts trimmed of white space. Forms that are not well-formed still give their parts:
 *  no tag: all is answer; <think> never closed: all after it is reasoning; </think> without <think>: what precedes it
 * is reasoning; further tags stay in the part they stand in; text ahead of <think> is dropped. */
ThinkText parse_think(std::string_view text);

/** Whether the reasoning holds neither a letter nor a number. */
bool is_empty_thought(const ThinkText& text);

}  // namespace diptych
