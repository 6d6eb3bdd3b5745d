#pragma once
// Examples for the supervised start, from the shapes world or from a file.

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "diptych/io/image/image.h"
#include "diptych/shapes/world/scene.h"

namespace diptych {

/** One supervised conversation: source images and prompt are given; thinking, then image are learnt. */
struct SupervisedExample {
  std::string prompt;                   // or the editing instruction, or a question about the sources
  std::optional<std::string> thinking;  // "<think> ... </think> refined prompt", or the answer in words
  std::vector<Image> sources;           // images in front of the prompt
  std::optional<Image> image;           // the target
};

/** The example at an address: draw `index` of step `step`. Pure: equal addresses give equal examples. */
using ExampleSource = std::function<SupervisedExample(uint64_t step, uint64_t index)>;

/** How often each kind of example is drawn; any non-negative numbers, of which only the ratios count. */
struct ShapesMixture {
  double paint = 0.16;     // prompt -> picture
  double think = 0.30;     // prompt -> thinking, picture
  double question = 0.22;  // picture, question -> "yes" or "no"
  double rating = 0.06;    // picture, "rate it" -> a mark, or "yes" or "no" to the whole request
  double edit = 0.16;      // picture, edit in words -> picture
  double reflect = 0.10;   // wrong picture, "it is wrong" -> reflection, repaired picture
  double review = 0.06;    // picture, "check it" -> reflection with "done", or with edits and the repaired picture
};

/** Endless training examples of the shapes world. Thinking and reflections are imperfect on purpose
 *  (shapes/prompts/thinking.h, shapes/reflection/sample_reflection.h): their pictures follow what they say, right or
 * wrong, while plain pictures and edits show the truth. Throws Error(config) for a mixture of nothing. */
ExampleSource shapes_examples(const shapes::World& world, const ShapesMixture& mixture, uint64_t seed);

/** Endless pictures without words, for the autoencoder: half show training prompts, half random scenes, which alone
 *  have small objects and coloured backgrounds. */
ExampleSource shapes_pictures(const shapes::World& world, uint64_t seed);

}  // namespace diptych
