#include <gtest/gtest.h>

#include <map>

#include "diptych/data/example.h"
#include "diptych/shapes/caption.h"
#include "diptych/shapes/prompts.h"
#include "diptych/shapes/verify.h"
#include "diptych/text/think.h"

namespace diptych {
namespace {

std::map<std::string, shapes::Request> training_requests() {
  std::map<std::string, shapes::Request> requests;
  for (const bool implicit : {false, true})
    for (const std::string& family : shapes::families(implicit))
      for (const shapes::Prompt& prompt : shapes::all_prompts(shapes::Split::train, family))
        requests.emplace(prompt.text, prompt.request);
  return requests;
}

TEST(ShapesExamples, PicturesFollowTheRefinedPromptOrTheTruth) {
  const shapes::World world;
  const std::map<std::string, shapes::Request> requests = training_requests();
  const ExampleSource source = shapes_examples(world, 0.5, 3);
  int thinking = 0;
  for (uint64_t index = 0; index < 200; ++index) {
    const SupervisedExample example = source(4, index);
    ASSERT_TRUE(requests.contains(example.prompt)) << example.prompt << " is held out";
    shapes::Request shown = requests.at(example.prompt);
    if (example.thinking) {
      ++thinking;
      const ThinkText parts = parse_think(*example.thinking);
      EXPECT_TRUE(parts.well_formed);
      shown = shapes::parse_caption(parts.answer).value();
    }
    ASSERT_TRUE(example.image.has_value());
    EXPECT_TRUE(shapes::verify(*example.image, shown, world).correct) << example.prompt;
  }
  EXPECT_NEAR(thinking, 100, 30);
}

TEST(ShapesExamples, AddressDecides) {
  const ExampleSource source = shapes_examples(shapes::World{}, 0.5, 3);
  const SupervisedExample first = source(1, 2);
  source(5, 6);
  EXPECT_EQ(source(1, 2).image->pixels, first.image->pixels);
  EXPECT_EQ(source(1, 2).prompt, first.prompt);
  EXPECT_NE(source(1, 3).image->pixels, first.image->pixels);
  EXPECT_NE(source(2, 2).image->pixels, first.image->pixels);
}

}  // namespace
}  // namespace diptych
