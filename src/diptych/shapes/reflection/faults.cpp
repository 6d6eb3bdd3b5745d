#include "diptych/shapes/reflection/faults.h"

#include <numeric>

#include "diptych/shapes/edits/edit.h"
#include "diptych/shapes/prompts/thinking.h"
#include "diptych/shapes/verify/truth.h"
#include "diptych/shapes/world/sample_scene.h"

namespace diptych::shapes {

namespace {

constexpr double kMisreadShare = 0.4;
constexpr double kSecondFaultShare = 0.3;

enum class Fault { missing, extra, doubled, colour, shape, places };
constexpr int kFaults = 6;

/** Any number below `bound` but `value`. */
int another(int value, size_t bound, Stream& stream) {
  return static_cast<int>((value + 1 + stream.below(bound - 1)) % bound);
}

void put_elsewhere(Scene& scene, const World& world, Stream& stream) {
  std::vector<int> cells(world.cells * world.cells);
  std::iota(cells.begin(), cells.end(), 0);
  for (Object& object : scene.objects) {
    const size_t pick = stream.below(cells.size());
    object.cell = cells[pick];
    cells.erase(cells.begin() + pick);
  }
}

void add_object(Shape shape, Colour colour, Scene& scene, const World& world, Stream& stream) {
  scene = apply_edit({.kind = EditKind::add, .shape = shape, .colour = colour, .cell = -1}, scene, world, stream);
}

}  // namespace

Scene with_fault(const Scene& scene, const World& world, Stream& stream) {
  const bool empty = scene.objects.empty();
  const bool full = free_cells(scene, world).empty();
  Scene faulty = scene;
  for (;;) {
    const auto fault = static_cast<Fault>(stream.below(kFaults));
    if (fault == Fault::extra || (fault == Fault::doubled && !empty)) {
      if (full) continue;
      const Object copied = empty ? Object{} : scene.objects[stream.below(scene.objects.size())];
      const bool extra = fault == Fault::extra;
      add_object(extra ? static_cast<Shape>(stream.below(kShapeNames.size())) : copied.shape,
                 extra ? static_cast<Colour>(stream.below(kColourNames.size())) : copied.colour, faulty, world, stream);
      return faulty;
    }
    if (empty) continue;
    const size_t index = stream.below(scene.objects.size());
    Object& object = faulty.objects[index];
    if (fault == Fault::missing) faulty.objects.erase(faulty.objects.begin() + index);
    if (fault == Fault::colour)
      object.colour = static_cast<Colour>(another(static_cast<int>(object.colour), kColourNames.size(), stream));
    if (fault == Fault::shape)
      object.shape = static_cast<Shape>(another(static_cast<int>(object.shape), kShapeNames.size(), stream));
    if (fault == Fault::places) put_elsewhere(faulty, world, stream);
    return faulty;
  }
}

Scene sample_wrong_scene(const Prompt& prompt, const World& world, Stream& stream) {
  const std::vector<Trace> traces = possible_traces(prompt);
  for (;;) {
    Scene scene;
    if (stream.uniform() < kMisreadShare) {
      scene = sample_scene(traces[1 + stream.below(traces.size() - 1)].request, world, stream);
    } else {
      scene = with_fault(sample_scene(prompt.request, world, stream), world, stream);
      if (stream.uniform() < kSecondFaultShare) scene = with_fault(scene, world, stream);
    }
    if (!scene.objects.empty() && !fulfils(scene, prompt.request, world)) return scene;
  }
}

}  // namespace diptych::shapes
