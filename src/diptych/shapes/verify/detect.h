#pragma once
// Finds the objects of a shapes picture: an exact detector for clean pictures whose confidences fall smoothly with
// blur, noise, colour drift and deformation.

#include <array>
#include <vector>

#include "diptych/io/image/image.h"
#include "diptych/shapes/world/position_rule.h"
#include "diptych/shapes/world/scene.h"

namespace diptych::shapes {

/** One connected piece of foreground. Objects that touch or overlap are one detection, with a low confidence. */
struct Detection {
  double x = 0;  // centre of the best template, pixels
  double y = 0;
  Box box;  // of the best template, pixels
  Shape shape = Shape::circle;
  Colour colour = Colour::red;
  Size size = Size::normal;               // nearest to the scale
  double shape_confidence = 0;            // largest shape score
  double colour_confidence = 0;           // largest colour score
  double confidence = 0;                  // product of both
  std::array<double, 6> shape_scores{};   // probabilities; the sum falls below 1 as outline or size fit no shape
  std::array<double, 8> colour_scores{};  // probabilities; the sum falls below 1 as the object has no palette colour
  std::array<double, 2> size_scores{};    // probabilities, sum 1
  double fit = 0;                         // [0, 1]: overlap with the best template, 1 for a clean outline
  double purity = 0;                      // [0, 1]: evenness of the fill, 1 for one colour
  double scale = 0;                       // radius over the world's
};

struct BackgroundDetection {
  Background background = Background::plain;
  double confidence = 0;           // largest score
  std::array<double, 5> scores{};  // probabilities; the sum falls below 1 as the picture has no palette background
};

/** The palette's background nearest to the median of the border pixels. An empty picture is plain with scores of 0. */
BackgroundDetection detect_background(const Image& image);

/** Detections in reading order of their first pixel, on whatever background detect_background finds. Foreground is what
 *  differs from the background by more than half of the strongest difference nearby; pieces are 8-connected over all
 *  colours, since rims mix colours; specks under 4 percent of a circle's area are ignored. The colour comes from the
 *  piece without its rim, the shape from the soft intersection over union with templates of equal area and centre of
 *  mass. Normal and small objects are equally good. Any image size is accepted. */
std::vector<Detection> detect(const Image& image, const World& world);

/** The detection with shape scores and confidences for someone who expects objects of normal size alone. */
Detection expecting_normal_size(Detection detection);

}  // namespace diptych::shapes
