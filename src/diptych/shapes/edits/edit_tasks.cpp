#include <algorithm>

#include "diptych/base/error.h"
#include "diptych/base/text_format.h"
#include "diptych/shapes/edits/edit.h"
#include "diptych/shapes/prompts/hash_text.h"
#include "diptych/shapes/world/caption.h"

namespace diptych::shapes {

namespace {

constexpr double kHeldOutEdits = 0.15;  // to validation and to test each
constexpr double kSmallUnasked = 0.15;  // of objects that the edit leaves open
constexpr double kPlainUnasked = 0.8;   // of backgrounds that the edit leaves open

void check_world(const World& world) {
  if (world.cells == 2) return;
  throw Error(ExitCode::config, {.where = "edits of scenes",
                                 .expected = "a world of 2 x 2 cells, whose places have names",
                                 .got = cat(world.cells, " x ", world.cells, " cells"),
                                 .hint = ""});
}

int draw_count(const Edit& edit, int cells, Stream& stream) {
  const bool needs_room = edit.kind == EditKind::add || edit.kind == EditKind::move;
  // With one object to remove, the right answer would be a blank canvas, which shows nothing of what was kept.
  const int fewest = edit.kind == EditKind::remove ? 2 : 1;
  const int most = needs_room ? cells - 1 : cells;
  return fewest + static_cast<int>(stream.below(most - fewest + 1));
}

/** Any background but the one that the edit is going to make. */
Background draw_background(const Edit& edit, Stream& stream) {
  for (;;) {
    const bool plain = stream.uniform() < kPlainUnasked;
    const auto background = plain ? Background::plain : static_cast<Background>(stream.below(kBackgroundNames.size()));
    if (edit.kind != EditKind::background || background != edit.background) return background;
  }
}

/** Whether the edit makes an object of this look. */
bool makes(const Edit& edit, Shape shape, Colour colour) {
  switch (edit.kind) {
    case EditKind::add:
      return shape == edit.shape && colour == edit.colour;
    case EditKind::recolour:
      return shape == edit.shape && colour == edit.new_colour;
    case EditKind::replace:
      return shape == edit.new_shape && colour == edit.new_colour;
    default:
      return false;
  }
}

/** Cells in random order, without the one that the edit needs free. */
std::vector<int> draw_cells(const Edit& edit, const World& world, Stream& stream) {
  const bool fills = edit.kind == EditKind::add || edit.kind == EditKind::move;
  std::vector<int> cells;
  for (int cell = 0; cell < world.cells * world.cells; ++cell)
    if (!fills || cell != edit.cell) cells.push_back(cell);
  for (size_t left = cells.size(); left > 1; --left) std::swap(cells[left - 1], cells[stream.below(left)]);
  return cells;
}

/** A scene that the edit applies to. */
Scene draw_source(const Edit& edit, const World& world, Stream& stream) {
  const int count = draw_count(edit, world.cells * world.cells, stream);
  const std::vector<int> cells = draw_cells(edit, world, stream);
  Scene scene;
  scene.background = draw_background(edit, stream);
  if (edit.kind != EditKind::add && edit.kind != EditKind::background)
    scene.objects.push_back({.shape = edit.shape, .colour = edit.colour});
  while (static_cast<int>(scene.objects.size()) < count) {
    const auto shape = static_cast<Shape>(stream.below(kShapeNames.size()));
    const auto colour = static_cast<Colour>(stream.below(kColourNames.size()));
    if (!find_object(scene, shape, colour) && !makes(edit, shape, colour))
      scene.objects.push_back({.shape = shape, .colour = colour});
  }
  for (size_t index = 0; index < scene.objects.size(); ++index) {
    Object& object = scene.objects[index];
    object.cell = cells[index];
    object.offset_x = world.jitter * (2 * stream.uniform() - 1);
    object.offset_y = world.jitter * (2 * stream.uniform() - 1);
    object.size = stream.uniform() < kSmallUnasked ? Size::small : Size::normal;
  }
  if (edit.kind == EditKind::resize) scene.objects.front().size = edit.size == Size::small ? Size::normal : Size::small;
  return scene;
}

/** Names of the objects in alphabetical order, so that no arrangement hides that two sources hold the same. */
std::string contents(const Scene& scene) {
  std::vector<std::string> names;
  for (const Object& object : scene.objects) names.push_back(noun_phrase({object.shape, object.colour}, false));
  std::sort(names.begin(), names.end());
  return join(names, " and ");
}

}  // namespace

Split split_of(const EditTask& task) {
  std::string said = instruction(task.edit);
  if (task.edit.kind == EditKind::background) said += cat(" | ", contents(task.source));
  const double place = static_cast<double>(hash_text(said)) / 0x1p64;
  return place < kHeldOutEdits ? Split::validation : place < 2 * kHeldOutEdits ? Split::test : Split::train;
}

EditTask sample_edit(Stream& stream, Split split, EditKind kind, const World& world) {
  check_world(world);
  const std::vector<Edit>& edits = all_edits(kind);
  for (;;) {
    EditTask task{.edit = edits[stream.below(edits.size())], .text = {}, .source = {}};
    task.source = draw_source(task.edit, world, stream);
    if (split_of(task) != split) continue;
    const std::vector<std::string> texts = wordings(task.edit);
    task.text = texts[stream.below(texts.size())];
    return task;
  }
}

std::vector<EditTask> edit_pool(Split split, int size, uint64_t seed, const World& world) {
  std::vector<EditTask> pool;
  for (int index = 0; index < size; ++index) {
    Stream stream({.seed = seed,
                   .purpose = Purpose::prompt_order,
                   .prompt = static_cast<uint64_t>(index),
                   .position = hash_text("edit")});
    pool.push_back(sample_edit(stream, split, static_cast<EditKind>(index % kEditKindNames.size()), world));
  }
  return pool;
}

}  // namespace diptych::shapes
