#include "diptych/shapes/world/sample_scene.h"

#include <algorithm>
#include <numeric>

#include "diptych/base/error.h"
#include "diptych/base/text_format.h"
#include "diptych/shapes/world/caption.h"

namespace diptych::shapes {

namespace {

constexpr int kTries = 1000;  // a position holds in at least one of six layouts of a 2 x 2 grid

[[noreturn]] void refuse(const Request& request, const World& world) {
  throw Error(ExitCode::data,
              {.where = "scene of a request",
               .expected = cat("clauses that no object shares, in ", world.cells, " x ", world.cells, " cells"),
               .got = request.clauses.empty() ? "no clause" : caption(request),
               .hint = ""});
}

bool answers(const Object& object, const Clause& clause) {
  return object.shape == clause.shape.value_or(object.shape) && object.colour == clause.colour.value_or(object.colour);
}

/** An object of clause `index` that answers to no other clause. */
Object draw_look(const Request& request, size_t index, const World& world, Stream& stream) {
  const Clause& clause = request.clauses[index];
  for (int attempt = 0; attempt < kTries; ++attempt) {
    Object object;
    object.shape = clause.shape.value_or(static_cast<Shape>(stream.below(kShapeNames.size())));
    object.colour = clause.colour.value_or(static_cast<Colour>(stream.below(kColourNames.size())));
    const auto shared = std::count_if(request.clauses.begin(), request.clauses.end(),
                                      [&](const Clause& other) { return answers(object, other); });
    if (shared == 1) return object;
  }
  refuse(request, world);
}

bool cells_hold(Relation relation, int subject, int reference, int cells) {
  const int columns = reference % cells - subject % cells;
  const int rows = reference / cells - subject / cells;
  switch (relation) {
    case Relation::left_of:
      return rows == 0 && columns > 0;
    case Relation::right_of:
      return rows == 0 && columns < 0;
    case Relation::above:
      return columns == 0 && rows > 0;
    case Relation::below:
      return columns == 0 && rows < 0;
  }
  return false;
}

/** `owner[i]` is the clause of object i, `cells[i]` its cell. */
bool position_holds(const Request& request, const std::vector<int>& owner, const std::vector<int>& cells,
                    const World& world) {
  if (!request.position) return true;
  for (size_t a = 0; a < owner.size(); ++a)
    for (size_t b = 0; b < owner.size(); ++b)
      if (owner[a] == request.position->subject && owner[b] == request.position->reference &&
          !cells_hold(request.position->relation, cells[a], cells[b], world.cells))
        return false;
  return true;
}

std::vector<int> draw_cells(const Request& request, const std::vector<int>& owner, const World& world, Stream& stream) {
  std::vector<int> cells(world.cells * world.cells);
  std::iota(cells.begin(), cells.end(), 0);
  for (int attempt = 0; attempt < kTries && owner.size() <= cells.size(); ++attempt) {
    for (size_t left = cells.size(); left > 1; --left) std::swap(cells[left - 1], cells[stream.below(left)]);
    if (position_holds(request, owner, cells, world)) return cells;
  }
  refuse(request, world);
}

}  // namespace

Scene sample_scene(const Request& request, const World& world, Stream& stream) {
  std::vector<int> owner;
  for (size_t index = 0; index < request.clauses.size(); ++index)
    owner.insert(owner.end(), request.clauses[index].count, static_cast<int>(index));
  if (owner.empty()) refuse(request, world);
  const std::vector<int> cells = draw_cells(request, owner, world, stream);

  Scene scene;
  for (size_t index = 0; index < owner.size(); ++index) {
    Object object = draw_look(request, owner[index], world, stream);
    object.cell = cells[index];
    object.offset_x = world.jitter * (2 * stream.uniform() - 1);
    object.offset_y = world.jitter * (2 * stream.uniform() - 1);
    scene.objects.push_back(object);
  }
  return scene;
}

}  // namespace diptych::shapes
