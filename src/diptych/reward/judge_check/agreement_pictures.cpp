#include "diptych/reward/judge_check/agreement_pictures.h"

#include <array>

#include "diptych/reward/shapes_task.h"
#include "diptych/shapes/examples/distort.h"
#include "diptych/shapes/reflection/faults.h"
#include "diptych/shapes/verify/truth.h"
#include "diptych/shapes/world/sample_scene.h"

namespace diptych {

namespace {

constexpr std::array kKinds = {PictureKind::right, PictureKind::wrong, PictureKind::spoilt};
// As the visual questions that the small model learns from (shapes/examples/visual_question.cpp).
constexpr double kClearlyGood = 0.95;
constexpr double kClearlyBad = 0.75;

Image spoil(const shapes::Scene& scene, const shapes::World& world, Stream& stream) {
  constexpr std::array kSpoilt = {shapes::Distortion::blur, shapes::Distortion::noise, shapes::Distortion::overlap};
  const size_t possible = scene.objects.size() > 1 ? kSpoilt.size() : kSpoilt.size() - 1;
  const shapes::Distortion distortion = kSpoilt[stream.below(possible)];
  return shapes::distorted(scene, world, distortion, 0.3 + 0.7 * stream.uniform(), stream);
}

AgreementPicture draw_picture(const shapes::Prompt& prompt, size_t number, PictureKind kind, uint64_t seed,
                              const shapes::World& world) {
  Stream stream({seed, Purpose::scene, 0, number, static_cast<uint64_t>(kind), 0});
  AgreementPicture picture;
  picture.prompt = number;
  picture.kind = kind;
  picture.scene = kind == PictureKind::wrong ? shapes::sample_wrong_scene(prompt, world, stream)
                                             : shapes::sample_scene(prompt.request, world, stream);
  picture.image =
      kind == PictureKind::spoilt ? spoil(picture.scene, world, stream) : shapes::render(picture.scene, world);
  picture.verdict = shapes::verify(picture.image, prompt.request, world);
  return picture;
}

}  // namespace

AgreementSet draw_agreement_pictures(shapes::Split split, int64_t count, uint64_t seed, const shapes::World& world) {
  constexpr auto kinds = static_cast<int64_t>(kKinds.size());
  const auto half = static_cast<int>((count + 2 * kinds - 1) / (2 * kinds));
  const std::array pools = {shapes::evaluation_pool(split, false, half, seed),
                            shapes::evaluation_pool(split, true, half, seed)};
  AgreementSet set;
  set.world = world;
  for (size_t number = 0; static_cast<int64_t>(set.pictures.size()) < count; ++number) {
    const shapes::Prompt& prompt = pools[number % 2][number / 2];
    set.prompts.push_back(shapes_task(prompt));
    for (const PictureKind kind : kKinds)
      if (static_cast<int64_t>(set.pictures.size()) < count)
        set.pictures.push_back(draw_picture(prompt, number, kind, seed, world));
  }
  return set;
}

std::optional<bool> true_answer(const AgreementSet& set, const AgreementPicture& picture, size_t index) {
  const shapes::Request& request = *shapes_request(set.prompts[picture.prompt]);
  const shapes::Question question = shapes::atomic_questions(request)[index];
  if (question.kind == "quality") {
    const double seen = picture.verdict.answers[index].probability;
    if (seen > kClearlyBad && seen < kClearlyGood) return std::nullopt;
    return seen >= kClearlyGood;
  }
  if (picture.kind == PictureKind::spoilt) return std::nullopt;
  return shapes::holds(question, request, picture.scene, set.world);
}

}  // namespace diptych
