#include "diptych/shapes/examples/rating.h"

#include <cmath>

#include "diptych/base/text_format.h"
#include "diptych/shapes/examples/distort.h"
#include "diptych/shapes/reflection/faults.h"
#include "diptych/shapes/verify/verify.h"
#include "diptych/shapes/world/sample_scene.h"

namespace diptych::shapes {

namespace {

constexpr std::array kKinds = {RatingKind::holistic, RatingKind::scalar, RatingKind::semantic, RatingKind::quality};
constexpr std::array kSpoilt = {Distortion::blur, Distortion::noise, Distortion::overlap};

Image draw_picture(const Prompt& prompt, RatingKind kind, const World& world, Stream& stream) {
  const bool wrong = stream.uniform() < 0.5;
  const Scene scene = wrong ? sample_wrong_scene(prompt, world, stream) : sample_scene(prompt.request, world, stream);
  const double spoilt = kind == RatingKind::quality ? 0.7 : kind == RatingKind::scalar ? 0.3 : 0;
  if (stream.uniform() >= spoilt) return render(scene, world);
  return distorted(scene, world, kSpoilt[stream.below(kSpoilt.size())], 0.2 + 0.8 * stream.uniform(), stream);
}

double mean_answer(const Verdict& verdict, const Request& request, std::string_view kind) {
  const std::vector<Question> questions = atomic_questions(request);
  double sum = 0;
  double count = 0;
  for (size_t i = 0; i < questions.size(); ++i) {
    if (questions[i].kind != kind) continue;
    sum += verdict.answers[i].probability;
    count += 1;
  }
  return sum / count;
}

std::string answer_of(RatingKind kind, const Verdict& verdict, const Request& request) {
  switch (kind) {
    case RatingKind::holistic:
      return verdict.correct ? "yes" : "no";
    case RatingKind::scalar:
      return cat(std::lround(1 + 4 * verdict.soft));
    case RatingKind::semantic:
      return cat(std::lround(10 * mean_answer(verdict, request, "semantic")));
    case RatingKind::quality:
      return cat(std::lround(10 * mean_answer(verdict, request, "quality")));
  }
  return "";
}

std::vector<std::string> numbers(int first, int last) {
  std::vector<std::string> texts;
  for (int number = first; number <= last; ++number) texts.push_back(cat(number));
  return texts;
}

}  // namespace

std::string rating_question(RatingKind kind, std::string_view prompt) {
  switch (kind) {
    case RatingKind::holistic:
      return cat("Does the picture show exactly: ", prompt, "?");
    case RatingKind::scalar:
      return cat("Rate from 1 to 5 how well the picture shows: ", prompt);
    case RatingKind::semantic:
      return cat("Rate from 0 to 10 how well the picture shows: ", prompt);
    case RatingKind::quality:
      return "Rate from 0 to 10 how clean the picture is";
  }
  return "";
}

std::vector<std::string> rating_answers(RatingKind kind) {
  if (kind == RatingKind::holistic) return {"no", "yes"};
  return kind == RatingKind::scalar ? numbers(1, 5) : numbers(0, 10);
}

Rating sample_rating(const World& world, Stream& stream) {
  const RatingKind kind = kKinds[stream.below(kKinds.size())];
  const Prompt& prompt = sample_prompt(stream, Split::train, families(stream.below(2) == 1));
  Rating rating{kind, rating_question(kind, prompt.text), "", draw_picture(prompt, kind, world, stream)};
  rating.answer = answer_of(kind, verify(rating.picture, prompt.request, world), prompt.request);
  return rating;
}

}  // namespace diptych::shapes
