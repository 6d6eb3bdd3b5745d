#pragma once
// Scenes of the shapes world: a few coloured shapes on a grid of cells. Plain data.

#include <array>
#include <cstdint>
#include <string_view>
#include <vector>

namespace diptych::shapes {

enum class Shape { circle, square, triangle, diamond, cross, ring };
enum class Colour { red, orange, yellow, green, blue, purple, black, pink };

inline constexpr std::array<std::string_view, 6> kShapeNames = {"circle",  "square", "triangle",
                                                                "diamond", "cross",  "ring"};
inline constexpr std::array<std::string_view, 8> kColourNames = {"red",  "orange", "yellow", "green",
                                                                 "blue", "purple", "black",  "pink"};

/** sRGB bytes of each colour; well separated, so that a verdict never hangs on a shade. */
inline constexpr std::array<std::array<uint8_t, 3>, 8> kColourRgb = {{{225, 30, 30},
                                                                      {255, 140, 0},
                                                                      {250, 225, 20},
                                                                      {30, 165, 55},
                                                                      {35, 85, 230},
                                                                      {140, 40, 170},
                                                                      {20, 20, 20},
                                                                      {255, 130, 190}}};

enum class Size { normal, small };
inline constexpr std::array<std::string_view, 2> kSizeNames = {"normal", "small"};
/** Radius of an object over World::radius. */
inline constexpr std::array<double, 2> kSizeScale = {1.0, 0.6};

enum class Background { plain, mint, sand, lilac, sky };
inline constexpr std::array<std::string_view, 5> kBackgroundNames = {"plain", "mint", "sand", "lilac", "sky"};
/** Pale, so that every object colour stands out. Pictures that nobody asked another background for are plain. */
inline constexpr std::array<std::array<uint8_t, 3>, 5> kBackgroundRgb = {
    {{245, 245, 245}, {198, 236, 208}, {242, 222, 182}, {222, 204, 242}, {190, 222, 246}}};

/** Geometry of a world; all lengths in pixels. The default is the 32 x 32 world of the shipped model. */
struct World {
  int canvas = 32;      // height and width
  int cells = 2;        // cells per side
  double radius = 6.0;  // half size of every object
  double jitter = 1.0;  // largest offset of a centre from the middle of its cell, per axis
};

struct Object {
  Shape shape = Shape::circle;
  Colour colour = Colour::red;
  int cell = 0;         // row * cells + column
  double offset_x = 0;  // pixels right of the middle of the cell
  double offset_y = 0;  // pixels below the middle of the cell
  Size size = Size::normal;
};

struct Scene {
  std::vector<Object> objects;
  Background background = Background::plain;
};

}  // namespace diptych::shapes
