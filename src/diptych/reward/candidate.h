#pragma once
// What a reward looks at: the texts and pictures of one sample. No tensors.

#include <string>
#include <vector>

#include "diptych/io/image/image.h"

namespace diptych {

struct Candidate {
  std::string prompt;              // as the user typed it
  std::vector<std::string> texts;  // sampled texts in order: thinking, reflection
  std::vector<Image> images;       // sampled pictures in order; the last one is the result
};

}  // namespace diptych
