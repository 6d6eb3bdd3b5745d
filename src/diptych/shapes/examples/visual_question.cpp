#include "diptych/shapes/examples/visual_question.h"

#include <algorithm>
#include <optional>

#include "diptych/shapes/examples/distort.h"
#include "diptych/shapes/prompts/prompts.h"
#include "diptych/shapes/reflection/faults.h"
#include "diptych/shapes/reflection/reflection.h"
#include "diptych/shapes/verify/detect.h"
#include "diptych/shapes/verify/truth.h"
#include "diptych/shapes/world/random_scene.h"
#include "diptych/shapes/world/render.h"
#include "diptych/shapes/world/sample_scene.h"

namespace diptych::shapes {

namespace {

// Between the two, people would disagree.
constexpr double kClearlyGood = 0.95;
constexpr double kClearlyBad = 0.75;

constexpr std::array kSemantic = {Property::existence, Property::count, Property::colour, Property::position,
                                  Property::nothing_extra};
constexpr std::array kQuality = {Property::sharpness, Property::purity};

/** What a training prompt asks for; one time in four what a random scene shows instead, for richer questions. */
Request draw_request(const World& world, Stream& stream) {
  if (stream.below(4) == 0) return describe(random_scene(world, stream), {}, world);
  return sample_prompt(stream, Split::train, families(stream.below(2) == 1)).request;
}

std::optional<Question> question_about(Property property, const Request& request, Stream& stream) {
  std::vector<Question> fitting;
  for (const Question& question : atomic_questions(request))
    if (question.property == property) fitting.push_back(question);
  if (fitting.empty()) return std::nullopt;
  return fitting[stream.below(fitting.size())];
}

/** A scene that has more or less to do with the request. */
Scene draw_scene(const Request& request, const World& world, Stream& stream) {
  const double kind = stream.uniform();
  if (kind < 0.1) return random_scene(world, stream);
  if (kind < 0.2) return sample_scene(draw_request(world, stream), world, stream);
  Scene scene = sample_scene(request, world, stream);
  if (kind < 0.8) scene = with_fault(scene, world, stream);
  if (kind < 0.4) scene = with_fault(scene, world, stream);
  return scene;
}

VisualQuestion semantic_question(Property property, bool answer, const World& world, Stream& stream) {
  for (;;) {
    const Request request = draw_request(world, stream);
    const std::optional<Question> question = question_about(property, request, stream);
    if (!question) continue;
    Scene scene = draw_scene(request, world, stream);
    while (holds(*question, request, scene, world) != answer) scene = draw_scene(request, world, stream);
    return {question->text, answer, question->tag, render(scene, world)};
  }
}

/** Some objects, one at least, get another colour below a line through their middle. */
Image with_two_tones(const Scene& scene, const World& world, Stream& stream) {
  Scene repainted = scene;
  std::vector<bool> chosen(scene.objects.size());
  for (size_t index = 0; index < chosen.size(); ++index) chosen[index] = stream.below(2) == 0;
  chosen[stream.below(chosen.size())] = true;
  for (Object& object : repainted.objects) {
    const size_t step = 1 + stream.below(kColourNames.size() - 1);
    object.colour = static_cast<Colour>((static_cast<size_t>(object.colour) + step) % kColourNames.size());
  }
  Image image = render(scene, world);
  const Image other = render(repainted, world);
  for (size_t index = 0; index < chosen.size(); ++index) {
    if (!chosen[index]) continue;
    const Box box = box_of(scene.objects[index], world);
    const int middle = static_cast<int>((box.top + box.bottom) / 2);
    for (int row = middle; row <= std::min<int>(box.bottom, world.canvas - 1); ++row)
      for (int column = std::max<int>(box.left, 0); column <= std::min<int>(box.right, world.canvas - 1); ++column) {
        const size_t pixel = (static_cast<size_t>(row) * world.canvas + column) * 3;
        std::copy_n(other.pixels.begin() + pixel, 3, image.pixels.begin() + pixel);
      }
  }
  return image;
}

/** One picture in three is clean. */
Image draw_quality(const Scene& scene, const World& world, Stream& stream) {
  const auto between = [&](double low, double high) { return low + (high - low) * stream.uniform(); };
  switch (stream.below(6)) {
    case 0:
      return distorted(scene, world, Distortion::blur, between(0.4, 1), stream);
    case 1:
      return distorted(scene, world, Distortion::noise, between(0.25, 0.75), stream);
    case 2:
      return distorted(scene, world, Distortion::overlap, between(0.75, 1), stream);
    case 3:
      return with_two_tones(scene, world, stream);
    default:
      return render(scene, world);
  }
}

/** The least value of the property over the detected objects; 0 for an empty picture. */
double worst(const Image& picture, Property property, const World& world) {
  const std::vector<Detection> detections = detect(picture, world);
  double least = detections.empty() ? 0 : 1;
  for (const Detection& detection : detections)
    least = std::min(least, property == Property::sharpness ? detection.fit : detection.purity);
  return least;
}

VisualQuestion quality_question(Property property, bool answer, const World& world, Stream& stream) {
  const Request request = draw_request(world, stream);
  const Question question = question_about(property, request, stream).value();
  for (;;) {
    const Scene scene = stream.below(2) == 0 ? random_scene(world, stream) : sample_scene(request, world, stream);
    Image picture = draw_quality(scene, world, stream);
    const double value = worst(picture, property, world);
    if (answer ? value >= kClearlyGood : value <= kClearlyBad)
      return {question.text, answer, question.tag, std::move(picture)};
  }
}

}  // namespace

VisualQuestion sample_visual_question(const World& world, Stream& stream) {
  const size_t property = stream.below(kSemantic.size() + 1);
  const bool answer = stream.below(2) == 0;
  if (property < kSemantic.size()) return semantic_question(kSemantic[property], answer, world, stream);
  return quality_question(kQuality[stream.below(kQuality.size())], answer, world, stream);
}

}  // namespace diptych::shapes
