#include "diptych/shapes/reflection/repair.h"

#include <algorithm>

#include "diptych/base/error.h"
#include "diptych/base/text_format.h"
#include "diptych/shapes/verify/truth.h"
#include "diptych/shapes/world/caption.h"

namespace diptych::shapes {

namespace {

constexpr int kMostRepairs = 8;  // four objects to change and four moves

/** Changes that no plan can do without: each one sets right, adds or removes one object at most. */
int least_changes(const Scene& scene, const Request& request) {
  int wanted = 0;
  for (const Clause& clause : request.clauses) wanted += clause.count;
  return std::max(wanted, static_cast<int>(scene.objects.size())) - best_deal(scene, request);
}

void shuffle(std::vector<Edit>& edits, Stream& stream) {
  for (size_t left = edits.size(); left > 1; --left) std::swap(edits[left - 1], edits[stream.below(left)]);
}

Edit towards(const Object& object, const Clause& clause) {
  Edit edit{.kind = EditKind::recolour, .shape = object.shape, .colour = object.colour};
  edit.new_colour = clause.colour.value_or(object.colour);
  edit.new_shape = clause.shape.value_or(object.shape);
  if (edit.new_shape != object.shape) edit.kind = EditKind::replace;
  if (edit.kind == EditKind::recolour) edit.new_shape = Shape::circle;  // a field without meaning keeps its default
  return edit;
}

/** Adds an object of the clause to each of the cells: to a certain one if places matter. */
void append_additions(const Clause& clause, const std::vector<int>& cells, bool places_matter, Stream& stream,
                      std::vector<Edit>& edits) {
  Edit edit{.kind = EditKind::add};
  edit.shape = clause.shape ? *clause.shape : static_cast<Shape>(stream.below(kShapeNames.size()));
  edit.colour = clause.colour ? *clause.colour : static_cast<Colour>(stream.below(kColourNames.size()));
  for (const int cell : cells) {
    edit.cell = places_matter ? cell : -1;
    edits.push_back(edit);
  }
}

/** Steps towards a scene whose objects are right, in the order of preference. */
std::vector<Edit> changes(const Scene& scene, const Request& request, const World& world, Stream& stream) {
  std::vector<Edit> steps;
  for (const Object& object : scene.objects) {
    for (const Clause& clause : request.clauses)
      if (!answers_to(object, clause)) steps.push_back(towards(object, clause));
    steps.push_back({.kind = EditKind::remove, .shape = object.shape, .colour = object.colour});
  }
  const std::vector<int> cells = free_cells(scene, world);
  for (const Clause& clause : request.clauses)
    append_additions(clause, cells, request.position.has_value(), stream, steps);
  shuffle(steps, stream);
  const auto rank = [](const Edit& edit) {
    static constexpr std::array kOrder = {EditKind::recolour, EditKind::replace, EditKind::remove, EditKind::add};
    return std::find(kOrder.begin(), kOrder.end(), edit.kind);
  };
  std::stable_sort(steps.begin(), steps.end(), [&](const Edit& a, const Edit& b) { return rank(a) < rank(b); });
  return steps;
}

std::vector<Edit> moves(const Scene& scene, const World& world, Stream& stream) {
  std::vector<Edit> steps;
  for (const Object& object : scene.objects)
    for (const int cell : free_cells(scene, world))
      steps.push_back({.kind = EditKind::move, .shape = object.shape, .colour = object.colour, .cell = cell});
  shuffle(steps, stream);
  return steps;
}

/** Depth-first search for a plan. */
struct RepairSearch {
  const Request& request;
  const World& world;
  Stream& stream;
  std::vector<Edit> plan = {};

  /** Extends the plan by exactly `budget` steps from the scene to which it has led; false, and as it was, if there are
   *  none. */
  bool extend(const Scene& scene, int budget) {
    if (budget == 0) return fulfils(scene, request, world);
    const bool objects_are_right = least_changes(scene, request) == 0;
    for (const Edit& step : objects_are_right ? moves(scene, world, stream) : changes(scene, request, world, stream)) {
      const Scene next = apply_edit(step, scene, world, stream);
      if (least_changes(next, request) > budget - 1) continue;
      plan.push_back(step);
      if (extend(next, budget - 1)) return true;
      plan.pop_back();
    }
    return false;
  }
};

}  // namespace

std::vector<Edit> repairs(const Scene& scene, const Request& request, const World& world, Stream& stream) {
  RepairSearch search{request, world, stream};
  for (int budget = least_changes(scene, request); budget <= kMostRepairs; ++budget)
    if (search.extend(scene, budget)) return search.plan;
  throw Error(ExitCode::data, {.where = "repair of a scene",
                               .expected = "a request that some scene of this world fulfils",
                               .got = caption(request),
                               .hint = ""});
}

Scene apply_edits(const std::vector<Edit>& edits, const Scene& scene, const World& world, Stream& stream) {
  Scene edited = scene;
  for (const Edit& edit : edits)
    if (applicable(edit, edited, world)) edited = apply_edit(edit, edited, world, stream);
  return edited;
}

}  // namespace diptych::shapes
