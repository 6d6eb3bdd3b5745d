#include "diptych/shapes/verify/verify.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>

#include "diptych/base/text_format.h"
#include "diptych/shapes/examples/distort.h"
#include "diptych/shapes/prompts/prompts.h"
#include "diptych/shapes/world/sample_scene.h"

namespace diptych::shapes {
namespace {

constexpr double kAgreement = 0.995;

Shape random_shape(Stream& stream) {
  return static_cast<Shape>(stream.below(kShapeNames.size()));
}
Colour random_colour(Stream& stream) {
  return static_cast<Colour>(stream.below(kColourNames.size()));
}

/** `count` random objects in different cells. */
Scene drawn_scene(Stream& stream, const World& world, int count) {
  std::vector<int> cells;
  for (int cell = 0; cell < world.cells * world.cells; ++cell) cells.push_back(cell);
  Scene scene;
  for (int index = 0; index < count; ++index) {
    const size_t pick = stream.below(cells.size());
    scene.objects.push_back({random_shape(stream), random_colour(stream), cells[pick],
                             world.jitter * (2 * stream.uniform() - 1), world.jitter * (2 * stream.uniform() - 1)});
    cells.erase(cells.begin() + pick);
  }
  return scene;
}

/** The request for exactly these objects. */
Request describe(const Scene& scene) {
  std::map<std::pair<Shape, Colour>, int> counts;
  for (const Object& object : scene.objects) ++counts[{object.shape, object.colour}];
  Request request;
  for (const auto& [kind, count] : counts) request.clauses.push_back({kind.first, kind.second, count});
  return request;
}

Box true_box(const Object& object, const World& world) {
  const Point middle = centre(object, world);
  return {middle.x - world.radius, middle.y - world.radius, middle.x + world.radius, middle.y + world.radius};
}

/** Truth by brute force: some order of the objects fills the places of the clauses one by one. */
bool some_order_fulfils(const Scene& scene, const Request& request, const World& world) {
  std::vector<int> places;
  for (size_t clause = 0; clause < request.clauses.size(); ++clause)
    places.insert(places.end(), request.clauses[clause].count, static_cast<int>(clause));
  if (places.size() != scene.objects.size()) return false;
  do {
    bool holds = true;
    for (size_t a = 0; a < places.size(); ++a) {
      const Clause& clause = request.clauses[places[a]];
      holds &= !clause.shape || clause.shape == scene.objects[a].shape;
      holds &= !clause.colour || clause.colour == scene.objects[a].colour;
      for (size_t b = 0; request.position && b < places.size(); ++b)
        if (places[a] == request.position->subject && places[b] == request.position->reference)
          holds &= relation_holds(request.position->relation, true_box(scene.objects[a], world),
                                  true_box(scene.objects[b], world));
    }
    if (holds) return true;
  } while (std::next_permutation(places.begin(), places.end()));
  return false;
}

class VerifyWorlds : public testing::TestWithParam<World> {};

TEST_P(VerifyWorlds, CleanScenesAreCorrectAndChangedRequestsAreNot) {
  const World& world = GetParam();
  Stream stream({.seed = 21});
  constexpr int kScenes = 1500;
  int correct = 0, high = 0, wrong_colour = 0, wrong_shape = 0, wrong_count = 0;
  for (int round = 0; round < kScenes; ++round) {
    const Scene scene = drawn_scene(stream, world, 1 + static_cast<int>(stream.below(4)));
    const Request request = describe(scene);
    const Image image = render(scene, world);
    const Verdict verdict = verify(image, request, world);
    correct += verdict.correct && verdict.reasons.empty();
    high += verdict.soft > 0.95;

    const auto rejects = [&](const Request& other) {
      const Verdict other_verdict = verify(image, other, world);
      return !other_verdict.correct && !other_verdict.reasons.empty() && other_verdict.soft < verdict.soft - 0.02;
    };
    const size_t clause = stream.below(request.clauses.size());
    Request changed = request;
    const size_t step = 1 + stream.below(kColourNames.size() - 1);
    changed.clauses[clause].colour =
        static_cast<Colour>((static_cast<size_t>(*request.clauses[clause].colour) + step) % kColourNames.size());
    wrong_colour += rejects(changed);
    changed = request;
    changed.clauses[clause].shape = static_cast<Shape>(
        (static_cast<size_t>(*request.clauses[clause].shape) + 1 + stream.below(kShapeNames.size() - 1)) %
        kShapeNames.size());
    wrong_shape += rejects(changed);
    changed = request;
    ++changed.clauses[clause].count;
    wrong_count += rejects(changed);
  }
  EXPECT_GE(correct, kAgreement * kScenes);
  EXPECT_GE(high, kAgreement * kScenes);
  EXPECT_GE(wrong_colour, kAgreement * kScenes);
  EXPECT_GE(wrong_shape, kAgreement * kScenes);
  EXPECT_GE(wrong_count, kAgreement * kScenes);
}

INSTANTIATE_TEST_SUITE_P(Sizes, VerifyWorlds,
                         testing::Values(World{}, World{.canvas = 64, .radius = 12, .jitter = 2},
                                         World{.canvas = 64, .cells = 4}));

TEST(Verify, AgreesWithTheTruthOnPromptsOfEveryFamily) {
  const World world;
  Stream stream({.seed = 22});
  std::vector<std::string> names = families(false);
  names.insert(names.end(), families(true).begin(), families(true).end());
  constexpr int kPrompts = 2000;
  int correct = 0, agreed = 0;
  for (int round = 0; round < kPrompts; ++round) {
    const Request request = sample_prompt(stream, Split::train, names).request;
    const Request other = sample_prompt(stream, Split::train, names).request;
    const Scene scene = sample_scene(request, world, stream);
    const Image image = render(scene, world);
    correct += verify(image, request, world).correct;
    agreed += verify(image, other, world).correct == some_order_fulfils(scene, other, world);
  }
  EXPECT_GE(correct, kAgreement * kPrompts);
  EXPECT_GE(agreed, kAgreement * kPrompts);
}

TEST(Verify, PositionsFollowGenEval) {
  const World world;
  Stream stream({.seed = 23});
  int scenes = 0, agreed = 0, held = 0;
  double correct_soft = 0, wrong_soft = 0;
  for (int round = 0; round < 800; ++round) {
    const Scene scene = drawn_scene(stream, world, 2);
    if (scene.objects[0].shape == scene.objects[1].shape) continue;
    Request request;
    for (const Object& object : scene.objects) request.clauses.push_back({object.shape, object.colour, 1});
    request.position = Position{0, static_cast<Relation>(stream.below(4)), 1};
    const bool truth = some_order_fulfils(scene, request, world);
    const Verdict verdict = verify(render(scene, world), request, world);
    ++scenes;
    agreed += verdict.correct == truth;
    held += truth;
    (truth ? correct_soft : wrong_soft) += verdict.soft;
  }
  EXPECT_GE(agreed, kAgreement * scenes);
  EXPECT_GT(held, scenes / 4);
  EXPECT_LT(held, scenes * 3 / 4);
  EXPECT_GT(correct_soft / held, 0.95);
  EXPECT_LT(wrong_soft / (scenes - held), 0.94);
}

TEST(Verify, VerdictsSurviveTheBlurAndNoiseOfAnAutoencoder) {
  const World world;
  Stream stream({.seed = 24});
  constexpr int kScenes = 1000;
  int correct = 0;
  double soft = 0;
  for (int round = 0; round < kScenes; ++round) {
    const Scene scene = drawn_scene(stream, world, 1 + static_cast<int>(stream.below(4)));
    const Image image = gaussian_noise(gaussian_blur(render(scene, world), 0.5), 4, stream);
    const Verdict verdict = verify(image, describe(scene), world);
    correct += verdict.correct;
    soft += verdict.soft / kScenes;
  }
  EXPECT_GE(correct, kAgreement * kScenes);
  EXPECT_GT(soft, 0.95);
}

TEST(Verify, SoftScoreFallsMonotonicallyWithDistortion) {
  const World world;
  constexpr int kScenes = 300;
  for (size_t index = 0; index < kDistortionNames.size(); ++index) {
    std::vector<double> means;
    for (const double strength : {0.0, 0.2, 0.4, 0.6, 0.8, 1.0}) {
      double sum = 0;
      int correct = 0;
      for (int round = 0; round < kScenes; ++round) {
        Stream stream({.seed = 25, .sample = static_cast<uint64_t>(round)});
        const Scene scene = drawn_scene(stream, world, 2 + static_cast<int>(stream.below(2)));
        const Image image = distorted(scene, world, static_cast<Distortion>(index), strength, stream);
        const Verdict verdict = verify(image, describe(scene), world);
        sum += verdict.soft;
        correct += verdict.correct;
      }
      means.push_back(sum / kScenes);
      if (strength == 1) {
        EXPECT_LE(correct, 0.02 * kScenes) << kDistortionNames[index];
      }
    }
    for (size_t step = 1; step < means.size(); ++step)
      EXPECT_LE(means[step], means[step - 1] + 1e-3) << kDistortionNames[index] << " at step " << step;
    EXPECT_LT(means.back(), means.front() - 0.07) << kDistortionNames[index];
  }
}

TEST(Verify, GamesDoNotPay) {
  const World world;
  Request request;
  request.clauses = {{Shape::circle, Colour::red, 3}};
  EXPECT_EQ(verify(blank(world), request, world).soft, 0);

  Image flood = blank(world);
  for (size_t byte = 0; byte < flood.pixels.size(); ++byte) flood.pixels[byte] = kColourRgb[0][byte % 3];
  EXPECT_LT(verify(flood, request, world).soft, 0.2);

  const auto circles = [&](int count) {
    Scene scene;
    for (int cell = 0; cell < count; ++cell) scene.objects.push_back({Shape::circle, Colour::red, cell, 0, 0});
    return verify(render(scene, world), request, world).soft;
  };
  EXPECT_LT(circles(1), circles(2));
  EXPECT_LT(circles(2), circles(3));
  EXPECT_GT(circles(3), circles(4));
  EXPECT_LT(circles(1), 0.65);

  // Dots too small for objects: neither praise nor a free ride.
  Image dots = blank(world);
  for (int cell = 0; cell < 3; ++cell) paint(dots, Shape::circle, centre({.cell = cell}, world), 2, rgb(Colour::red));
  EXPECT_LT(verify(dots, request, world).soft, 0.2);
}

TEST(Verify, ReasonsNameWhatIsWrong) {
  const World world;
  const Scene scene{{{Shape::circle, Colour::red, 0, 0, 0},
                     {Shape::circle, Colour::red, 1, 0, 0},
                     {Shape::square, Colour::blue, 2, 0, 0}}};
  Request request;
  request.clauses = {{Shape::circle, Colour::red, 3}};
  EXPECT_EQ(verify(render(scene, world), request, world).reasons,
            (std::vector<std::string>{"expected 3 red circles, found 2", "unexpected blue square at (8, 24)"}));

  request.clauses = {{Shape::circle, std::nullopt, 2}, {Shape::square, Colour::blue, 1}};
  request.position = Position{0, Relation::below, 1};
  EXPECT_EQ(verify(render(scene, world), request, world).reasons,
            (std::vector<std::string>{"expected circles below blue square"}));

  Image smeared = render({{scene.objects[0]}}, world);
  paint(smeared, Shape::square, {13, 8}, 5, rgb(Colour::green));
  request = {{{Shape::circle, Colour::red, 1}}, std::nullopt};
  const Verdict verdict = verify(smeared, request, world);
  EXPECT_FALSE(verdict.correct);
  ASSERT_EQ(verdict.reasons.size(), 2u);
  EXPECT_EQ(verdict.reasons[0], "expected 1 red circle, found 0");
  EXPECT_TRUE(verdict.reasons[1].starts_with("unknown object at ("));
}

TEST(Verify, RequestsMeanNormalSizesOnThePlainBackground) {
  const World world;
  Stream stream({.seed = 27});
  for (int round = 0; round < 200; ++round) {
    Scene scene = drawn_scene(stream, world, 1 + static_cast<int>(stream.below(4)));
    const Request request = describe(scene);
    const double soft = verify(render(scene, world), request, world).soft;
    EXPECT_GT(soft, 0.95);

    const auto background = static_cast<Background>(1 + round % 4);
    const Verdict coloured = verify(render({scene.objects, background}, world), request, world);
    EXPECT_FALSE(coloured.correct);
    EXPECT_LT(coloured.soft, 0.01);
    EXPECT_EQ(coloured.background.background, background);
    EXPECT_EQ(coloured.reasons, (std::vector<std::string>{cat("expected the plain background, found ",
                                                              kBackgroundNames[static_cast<size_t>(background)])}));

    Object& object = scene.objects[round % scene.objects.size()];
    object.size = Size::small;
    const Verdict small = verify(render(scene, world), request, world);
    EXPECT_FALSE(small.correct);
    EXPECT_LT(small.soft, soft - 0.05);
    EXPECT_TRUE(small.reasons.back().starts_with("small object at (")) << small.reasons.back();
  }
}

TEST(Verify, EachObjectAnswersToOneClause) {
  const World world;
  const Request request{{{Shape::circle, std::nullopt, 1}, {std::nullopt, Colour::red, 1}}, std::nullopt};
  const auto correct = [&](const std::vector<Object>& objects) {
    return verify(render({objects}, world), request, world).correct;
  };
  const Object red_circle{Shape::circle, Colour::red, 0, 0, 0};
  EXPECT_FALSE(correct({red_circle}));
  EXPECT_TRUE(correct({red_circle, {Shape::square, Colour::red, 1, 0, 0}}));
  EXPECT_TRUE(correct({{Shape::square, Colour::red, 1, 0, 0}, {Shape::circle, Colour::blue, 2, 0, 0}}));
  EXPECT_FALSE(correct({red_circle, {Shape::square, Colour::blue, 1, 0, 0}}));
}

TEST(Verify, AnswersFollowTheQuestions) {
  const World world;
  const Request request{{{Shape::circle, Colour::red, 2}, {Shape::ring, Colour::blue, 1}}, std::nullopt};
  Scene scene{{{Shape::circle, Colour::red, 0, 0, 0},
               {Shape::circle, Colour::green, 1, 0, 0},
               {Shape::ring, Colour::blue, 2, 0, 0}}};
  const std::vector<Question> questions = atomic_questions(request);
  const Verdict verdict = verify(render(scene, world), request, world);
  ASSERT_EQ(verdict.answers.size(), questions.size());
  for (size_t index = 0; index < questions.size(); ++index) {
    const Question& question = questions[index];
    EXPECT_EQ(verdict.answers[index].question, question.id);
    const double probability = verdict.answers[index].probability;
    const bool about_circles = question.clause == 0;
    if (about_circles && (question.property == Property::count || question.property == Property::colour))
      EXPECT_NEAR(probability, 0.5, 0.03) << question.text;
    else if (question.property == Property::nothing_extra)
      EXPECT_LT(probability, 0.2);
    else
      EXPECT_GT(probability, 0.95) << question.text;
  }
}

}  // namespace
}  // namespace diptych::shapes
