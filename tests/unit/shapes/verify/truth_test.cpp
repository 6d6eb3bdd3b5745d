#include "diptych/shapes/verify/truth.h"

#include <gtest/gtest.h>

#include <array>
#include <map>
#include <optional>
#include <utility>
#include <vector>

#include "diptych/shapes/prompts/prompts.h"
#include "diptych/shapes/reflection/faults.h"
#include "diptych/shapes/verify/verify.h"
#include "diptych/shapes/world/caption.h"
#include "diptych/shapes/world/random_scene.h"
#include "diptych/shapes/world/render.h"
#include "diptych/shapes/world/sample_scene.h"

namespace diptych::shapes {
namespace {

Scene scene_of(const std::vector<Object>& objects) {
  return {.objects = objects};
}

bool answer(const char* words, size_t index, const Scene& scene) {
  const Request request = *parse_caption(words);
  return holds(atomic_questions(request).at(index), request, scene, World{});
}

/** A prompt and a scene that fulfils it, has one or two faults, or has nothing to do with it; as requests mean them, of
 *  normal size and on the plain background. */
std::pair<Prompt, Scene> draw(uint64_t index, const World& world) {
  Stream stream({.seed = 5, .purpose = Purpose::test, .sample = index});
  const Prompt& prompt = sample_prompt(stream, Split::train, families(index % 2 == 0));
  Scene scene = index % 5 == 0 ? random_scene(world, stream) : sample_scene(prompt.request, world, stream);
  scene.background = Background::plain;
  for (Object& object : scene.objects) object.size = Size::normal;
  for (uint64_t faults = index % 3; faults > 0; --faults) scene = with_fault(scene, world, stream);
  return {prompt, scene};
}

/** What the soft answer of the verifier says for sure; nullopt where it gives partial credit. */
std::optional<bool> verifier_says(double probability) {
  if (probability > 0.97) return true;
  if (probability < 0.03) return false;
  return std::nullopt;
}

TEST(Truth, FulfilsAgreesWithTheVerifier) {
  const World world;
  int fulfilled = 0;
  for (uint64_t index = 0; index < 4000; ++index) {
    const auto [prompt, scene] = draw(index, world);
    const bool truth = fulfils(scene, prompt.request, world);
    fulfilled += truth;
    ASSERT_EQ(verify(render(scene, world), prompt.request, world).correct, truth) << prompt.text << ", draw " << index;
  }
  EXPECT_GT(fulfilled, 800);
  EXPECT_LT(fulfilled, 3200);
}

TEST(Truth, HoldsAgreesWithTheVerifierWhereThatIsSure) {
  const World world;
  std::map<Property, std::array<int, 2>> compared;
  for (uint64_t index = 0; index < 4000; ++index) {
    const auto [prompt, scene] = draw(index, world);
    const Verdict verdict = verify(render(scene, world), prompt.request, world);
    const std::vector<Question> questions = atomic_questions(prompt.request);
    for (size_t id = 0; id < questions.size(); ++id) {
      const Question& question = questions[id];
      const std::optional<bool> expected = verifier_says(verdict.answers[id].probability);
      if (!expected) continue;
      const bool truth = holds(question, prompt.request, scene, world);
      ++compared[question.property][truth];
      // The verifier asks for enough objects of the colour; the words ask for no others of the shape.
      if (question.property == Property::colour && *expected && !truth) continue;
      ASSERT_EQ(truth, *expected) << question.text << ", draw " << index;
    }
  }
  EXPECT_EQ(compared.size(), 7u);
  for (const auto& [property, counts] : compared) {
    EXPECT_GT(counts[1], 100) << static_cast<int>(property);
    const bool quality = property == Property::sharpness || property == Property::purity;
    if (!quality) {
      EXPECT_GT(counts[0], 50) << static_cast<int>(property);
    }
  }
}

TEST(Truth, WordsDecideWhereTheVerifierGivesPartialCredit) {
  const Scene scene = scene_of({{.shape = Shape::circle, .colour = Colour::red, .cell = 0},
                                {.shape = Shape::circle, .colour = Colour::blue, .cell = 1},
                                {.shape = Shape::square, .colour = Colour::red, .cell = 2}});
  EXPECT_TRUE(answer("three red circles", 0, scene)) << "there are circles";
  EXPECT_FALSE(answer("three red circles", 1, scene)) << "not three red ones";
  EXPECT_FALSE(answer("three red circles", 2, scene)) << "one is blue";
  EXPECT_TRUE(answer("a red square", 1, scene));
  EXPECT_FALSE(answer("a red square", 2, scene)) << "circles are extra";
  EXPECT_TRUE(answer("three circles and a square and a ring", 4, scene)) << "missing things make nothing extra";
  EXPECT_FALSE(answer("a circle left of a square", 2, scene)) << "neither circle is";
  EXPECT_TRUE(answer("a circle above a square", 2, scene)) << "both circles are";
}

TEST(Truth, NothingHoldsOfAnEmptyScene) {
  const Request request = *parse_caption("a red circle left of a blue square");
  for (const Question& question : atomic_questions(request))
    EXPECT_FALSE(holds(question, request, {}, World{})) << question.text;
}

TEST(Truth, BestDealSharesObjectsOut) {
  const Request request{{{std::nullopt, std::nullopt, 1}, {Shape::circle, std::nullopt, 1}}, {}};
  const Scene scene = scene_of({{.shape = Shape::circle, .cell = 0}, {.shape = Shape::square, .cell = 1}});
  EXPECT_EQ(best_deal(scene, request), 2) << "the circle must not take the place of any object";
  EXPECT_EQ(best_deal(scene_of({}), request), 0);
}

}  // namespace
}  // namespace diptych::shapes
