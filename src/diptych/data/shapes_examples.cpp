#include <array>
#include <numeric>
#include <utility>

#include "diptych/base/error.h"
#include "diptych/data/example.h"
#include "diptych/shapes/edits/edit.h"
#include "diptych/shapes/examples/rating.h"
#include "diptych/shapes/examples/visual_question.h"
#include "diptych/shapes/prompts/thinking.h"
#include "diptych/shapes/reflection/sample_reflection.h"
#include "diptych/shapes/world/render.h"
#include "diptych/shapes/world/sample_scene.h"

namespace diptych {

namespace {

using shapes::World;

const shapes::Prompt& draw_prompt(Stream& stream) {
  return shapes::sample_prompt(stream, shapes::Split::train, shapes::all_families());
}

SupervisedExample paint_example(const World& world, Stream& stream) {
  const shapes::Prompt& prompt = draw_prompt(stream);
  return {.prompt = prompt.text,
          .thinking = {},
          .sources = {},
          .image = shapes::render(shapes::sample_scene(prompt.request, world, stream), world)};
}

SupervisedExample think_example(const World& world, Stream& stream) {
  const shapes::Prompt& prompt = draw_prompt(stream);
  const shapes::Trace trace = shapes::sample_trace(prompt, stream);
  return {.prompt = prompt.text,
          .thinking = trace.text,
          .sources = {},
          .image = shapes::render(shapes::sample_scene(trace.request, world, stream), world)};
}

SupervisedExample question_example(const World& world, Stream& stream) {
  const shapes::VisualQuestion question = shapes::sample_visual_question(world, stream);
  return {.prompt = question.text,
          .thinking = std::string(shapes::answer_text(question.answer)),
          .sources = {question.picture},
          .image = {}};
}

SupervisedExample rating_example(const World& world, Stream& stream) {
  const shapes::Rating rating = shapes::sample_rating(world, stream);
  return {.prompt = rating.question, .thinking = rating.answer, .sources = {rating.picture}, .image = {}};
}

SupervisedExample edit_example(const World& world, Stream& stream) {
  const auto kind = static_cast<shapes::EditKind>(stream.below(shapes::kEditKindNames.size()));
  const shapes::EditTask task = shapes::sample_edit(stream, shapes::Split::train, kind, world);
  return {.prompt = task.text,
          .thinking = {},
          .sources = {shapes::render(task.source, world)},
          .image = shapes::render(shapes::apply_edit(task.edit, task.source, world, stream), world)};
}

SupervisedExample rendered(const shapes::ReflectionExample& reflection, const World& world) {
  SupervisedExample example{.prompt = reflection.prompt,
                            .thinking = reflection.answer,
                            .sources = {shapes::render(reflection.picture, world)},
                            .image = {}};
  if (reflection.repaired) example.image = shapes::render(*reflection.repaired, world);
  return example;
}

SupervisedExample reflect_example(const World& world, Stream& stream) {
  return rendered(shapes::sample_reflection(world, stream), world);
}

SupervisedExample review_example(const World& world, Stream& stream) {
  return rendered(shapes::sample_review(world, stream), world);
}

using Sample = SupervisedExample (*)(const World&, Stream&);

}  // namespace

ExampleSource shapes_examples(const World& world, const ShapesMixture& mixture, uint64_t seed) {
  const std::array<std::pair<double, Sample>, 7> kinds = {{{mixture.paint, paint_example},
                                                           {mixture.think, think_example},
                                                           {mixture.question, question_example},
                                                           {mixture.rating, rating_example},
                                                           {mixture.edit, edit_example},
                                                           {mixture.reflect, reflect_example},
                                                           {mixture.review, review_example}}};
  const double sum = std::accumulate(kinds.begin(), kinds.end(), 0.0,
                                     [](double shares, const auto& kind) { return shares + kind.first; });
  if (sum <= 0) throw Error(ExitCode::config, {"the shares of shapes examples", "at least one above 0", "all 0", ""});
  return [world, kinds, sum, seed](uint64_t step, uint64_t index) {
    Stream stream({.seed = seed, .purpose = Purpose::data, .step = step, .sample = index});
    double place = stream.uniform() * sum;
    size_t kind = 0;
    while (kind + 1 < kinds.size() && place >= kinds[kind].first) place -= kinds[kind++].first;
    return kinds[kind].second(world, stream);
  };
}

}  // namespace diptych
