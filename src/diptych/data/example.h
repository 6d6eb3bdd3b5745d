#pragma once
// Examples for the supervised start, from the shapes world or from a file.

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "diptych/io/image.h"
#include "diptych/shapes/scene.h"

namespace diptych {

/** One supervised conversation: source images and prompt are given; thinking, then image are learnt. */
struct SupervisedExample {
  std::string prompt;                   // or the editing instruction
  std::optional<std::string> thinking;  // "<think> ... </think> refined prompt"
  std::vector<Image> sources;           // images in front of the prompt
  std::optional<Image> image;           // the target
};

/** The example at an address: draw `index` of step `step`. Pure: equal addresses give equal examples. */
using ExampleSource = std::function<SupervisedExample(uint64_t step, uint64_t index)>;

/** Endless training examples of the shapes world. A share of them thinks first; their pictures follow the written
 * refined prompt, right or wrong, while plain examples show the truth. */
ExampleSource shapes_examples(const shapes::World& world, double think_share, uint64_t seed);

}  // namespace diptych
