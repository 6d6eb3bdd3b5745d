#include "diptych/shapes/world/random_scene.h"

#include <algorithm>
#include <numeric>

namespace diptych::shapes {

namespace {

constexpr int kMostObjects = 4;
constexpr double kSmallShare = 0.25;
constexpr double kPlainShare = 0.6;

}  // namespace

Scene random_scene(const World& world, Stream& stream) {
  std::vector<int> cells(world.cells * world.cells);
  std::iota(cells.begin(), cells.end(), 0);
  Scene scene;
  for (size_t left = 1 + stream.below(std::min<size_t>(kMostObjects, cells.size())); left > 0; --left) {
    Object object;
    object.shape = static_cast<Shape>(stream.below(kShapeNames.size()));
    object.colour = static_cast<Colour>(stream.below(kColourNames.size()));
    object.size = stream.uniform() < kSmallShare ? Size::small : Size::normal;
    const size_t pick = stream.below(cells.size());
    object.cell = cells[pick];
    cells.erase(cells.begin() + pick);
    object.offset_x = world.jitter * (2 * stream.uniform() - 1);
    object.offset_y = world.jitter * (2 * stream.uniform() - 1);
    scene.objects.push_back(object);
  }
  if (stream.uniform() >= kPlainShare)
    scene.background = static_cast<Background>(1 + stream.below(kBackgroundNames.size() - 1));
  return scene;
}

}  // namespace diptych::shapes
