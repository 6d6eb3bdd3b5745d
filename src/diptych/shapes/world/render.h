#pragma once
// Pictures of scenes, and the outlines that the verifier compares with.

#include <array>

#include "diptych/io/image/image.h"
#include "diptych/shapes/world/scene.h"

namespace diptych::shapes {

/** A point in pixels; pixel i covers [i, i + 1). */
struct Point {
  double x = 0;
  double y = 0;
};

/** Linear mixtures of sRGB bytes. */
using Rgb = std::array<double, 3>;

/** The palette's entry as numbers. */
Rgb rgb(Colour colour);
Rgb rgb(Background background);

/** Half size of an object of this size, pixels. */
double radius(Size size, const World& world);

/** Share of the unit square around (x, y), relative to the centre of the object, that the shape covers; from
 *  `supersample` samples a side on pixels that the outline crosses. All shapes fill a box of side 2 * radius, but for
 *  the tips of round ones; the ring's hole has half the radius, the arms of the cross are a third of the box wide. */
double coverage(Shape shape, double x, double y, double radius, int supersample = 4);

/** The same to within a few percent, from one distance to the outline: exact for outlines along the pixel grid. */
double linear_coverage(Shape shape, double x, double y, double radius);

/** Area of the shape at radius 1. */
double unit_area(Shape shape);

/** How far the centre of mass lies below the middle of the box, at radius 1. Not zero for the triangle alone. */
double unit_mass_offset(Shape shape);

/** Middle of the object's cell, shifted by its offset. */
Point centre(const Object& object, const World& world);

/** A canvas of background. */
Image blank(const World& world, Background background = Background::plain);

/** Paints one anti-aliased shape over the image; parts outside are cut off. */
void paint(Image& image, Shape shape, Point centre, double radius, const Rgb& colour);

/** The scene's picture: world.canvas pixels a side, objects painted in order over its background. */
Image render(const Scene& scene, const World& world);

}  // namespace diptych::shapes
