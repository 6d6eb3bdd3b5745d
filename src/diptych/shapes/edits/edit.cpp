#include "diptych/shapes/edits/edit.h"

#include <algorithm>
#include <cassert>

namespace diptych::shapes {

namespace {

bool is_free(int cell, const Scene& scene, const World& world) {
  return cell >= 0 && cell < world.cells * world.cells &&
         std::none_of(scene.objects.begin(), scene.objects.end(), [&](const Object& o) { return o.cell == cell; });
}

}  // namespace

std::optional<size_t> find_object(const Scene& scene, Shape shape, Colour colour) {
  for (size_t index = 0; index < scene.objects.size(); ++index)
    if (scene.objects[index].shape == shape && scene.objects[index].colour == colour) return index;
  return std::nullopt;
}

std::vector<int> free_cells(const Scene& scene, const World& world) {
  std::vector<int> cells;
  for (int cell = 0; cell < world.cells * world.cells; ++cell)
    if (is_free(cell, scene, world)) cells.push_back(cell);
  return cells;
}

bool applicable(const Edit& edit, const Scene& scene, const World& world) {
  if (edit.kind == EditKind::background) return edit.background != scene.background;
  if (edit.kind == EditKind::add)
    return edit.cell < 0 ? !free_cells(scene, world).empty() : is_free(edit.cell, scene, world);
  const std::optional<size_t> index = find_object(scene, edit.shape, edit.colour);
  if (!index) return false;
  switch (edit.kind) {
    case EditKind::recolour:
      return edit.new_colour != edit.colour;
    case EditKind::move:
      return is_free(edit.cell, scene, world);
    case EditKind::replace:
      return edit.new_shape != edit.shape || edit.new_colour != edit.colour;
    case EditKind::resize:
      return edit.size != scene.objects[*index].size;
    default:
      return true;
  }
}

Scene apply_edit(const Edit& edit, const Scene& scene, const World& world, Stream& stream) {
  assert(applicable(edit, scene, world));
  Scene edited = scene;
  if (edit.kind == EditKind::background) {
    edited.background = edit.background;
    return edited;
  }
  if (edit.kind == EditKind::add) {
    const std::vector<int> cells = free_cells(scene, world);
    const int cell = edit.cell < 0 ? cells[stream.below(cells.size())] : edit.cell;
    const double offset_x = world.jitter * (2 * stream.uniform() - 1);
    const double offset_y = world.jitter * (2 * stream.uniform() - 1);
    edited.objects.push_back({edit.shape, edit.colour, cell, offset_x, offset_y});
    return edited;
  }
  const size_t index = find_object(scene, edit.shape, edit.colour).value();
  Object& object = edited.objects[index];
  switch (edit.kind) {
    case EditKind::remove:
      edited.objects.erase(edited.objects.begin() + index);
      break;
    case EditKind::recolour:
      object.colour = edit.new_colour;
      break;
    case EditKind::move:
      object.cell = edit.cell;
      break;
    case EditKind::replace:
      object.shape = edit.new_shape;
      object.colour = edit.new_colour;
      break;
    case EditKind::resize:
      object.size = edit.size;
      break;
    case EditKind::add:
    case EditKind::background:
      break;
  }
  return edited;
}

}  // namespace diptych::shapes
