#pragma once
// What a reflection in the words of the shapes world gets right about its picture.

#include <string_view>

#include "diptych/io/image/image.h"
#include "diptych/shapes/world/request.h"

namespace diptych {

struct ReflectionScore {
  bool described = false;    // the verifier confirms what the text says the picture shows
  bool understood = false;   // what the text says is needed is what the prompt asks for
  bool finds_fault = false;  // the text asks for a repair

  /** Of a wrong picture: the text names what is really wrong with it. */
  bool diagnosed() const { return described && understood && finds_fault; }
};

/** Scores the text of a reflection on `picture`, made for `request`. A text without form gets nothing right. */
ReflectionScore score_reflection(std::string_view text, const Image& picture, const shapes::Request& request);

}  // namespace diptych
