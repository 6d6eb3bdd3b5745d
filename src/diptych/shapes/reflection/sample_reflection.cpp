#include "diptych/shapes/reflection/sample_reflection.h"

#include "diptych/shapes/prompts/prompts.h"
#include "diptych/shapes/prompts/thinking.h"
#include "diptych/shapes/reflection/faults.h"
#include "diptych/shapes/reflection/reflection.h"
#include "diptych/shapes/reflection/repair.h"
#include "diptych/shapes/verify/truth.h"
#include "diptych/shapes/world/sample_scene.h"

namespace diptych::shapes {

namespace {

const Prompt& draw_prompt(Stream& stream) {
  return sample_prompt(stream, Split::train, families(stream.below(2) == 1));
}

std::string_view fact_of(const Prompt& prompt, const Trace& belief) {
  return prompt.fact < 0 ? std::string_view() : belief.reasoning;
}

std::string write(const Prompt& prompt, const Request& shown, const Trace& belief, const std::vector<Edit>& edits) {
  return reflection_text(shown, fact_of(prompt, belief), belief.request, edits);
}

/** What the picture would show if it fulfilled the belief: a description that misses what is wrong. */
Request wishful_description(const Scene& picture, const Trace& belief, const World& world, Stream& stream) {
  const std::vector<Edit> edits = repairs(picture, belief.request, world, stream);
  return describe(apply_edits(edits, picture, world, stream), belief.request, world);
}

Edit random_recolouring(const Scene& scene, Stream& stream) {
  const Object& object = scene.objects[stream.below(scene.objects.size())];
  const size_t step = 1 + stream.below(kColourNames.size() - 1);
  const size_t new_colour = (static_cast<size_t>(object.colour) + step) % kColourNames.size();
  return {.kind = EditKind::recolour,
          .shape = object.shape,
          .colour = object.colour,
          .new_colour = static_cast<Colour>(new_colour)};
}

/** A picture that fails the prompt and what is believed of it. */
Scene draw_failure(const Prompt& prompt, const Trace& belief, const World& world, Stream& stream) {
  for (;;) {
    const Scene scene = sample_wrong_scene(prompt, world, stream);
    if (!fulfils(scene, belief.request, world)) return scene;
  }
}

ReflectionExample repaired_failure(const Prompt& prompt, const World& world, Stream& stream, double missed_share) {
  const Trace belief = sample_trace(prompt, stream);
  ReflectionExample example;
  example.picture = draw_failure(prompt, belief, world, stream);
  const bool missed = stream.uniform() < missed_share;
  const std::vector<Edit> edits = missed ? std::vector<Edit>{random_recolouring(example.picture, stream)}
                                         : repairs(example.picture, belief.request, world, stream);
  const Request shown = missed ? wishful_description(example.picture, belief, world, stream)
                               : describe(example.picture, belief.request, world);
  example.answer = write(prompt, shown, belief, edits);
  example.repaired = apply_edits(edits, example.picture, world, stream);
  return example;
}

/** "done" of a wrong picture: by a wrong fact that makes it right if there is one, else by a wishful look. */
std::string excuse(const Prompt& prompt, const Scene& picture, const World& world, Stream& stream) {
  const std::vector<Trace> traces = possible_traces(prompt);
  for (const Trace& trace : traces)
    if (fulfils(picture, trace.request, world))
      return write(prompt, describe(picture, trace.request, world), trace, {});
  return write(prompt, wishful_description(picture, traces[0], world, stream), traces[0], {});
}

}  // namespace

ReflectionExample sample_reflection(const World& world, Stream& stream) {
  const Prompt& prompt = draw_prompt(stream);
  ReflectionExample example = repaired_failure(prompt, world, stream, kMissedShare);
  example.prompt = reflection_prompt(prompt.text);
  return example;
}

ReflectionExample sample_review(const World& world, Stream& stream) {
  const Prompt& prompt = draw_prompt(stream);
  ReflectionExample example;
  if (stream.uniform() < kRightShare) {
    const Trace truth = possible_traces(prompt).front();
    example.picture = sample_scene(prompt.request, world, stream);
    example.answer = write(prompt, describe(example.picture, prompt.request, world), truth, {});
  } else if (stream.uniform() < kOverconfidentShare) {
    example.picture = sample_wrong_scene(prompt, world, stream);
    example.answer = excuse(prompt, example.picture, world, stream);
  } else {
    example = repaired_failure(prompt, world, stream, 0);
  }
  example.prompt = review_prompt(prompt.text);
  return example;
}

}  // namespace diptych::shapes
