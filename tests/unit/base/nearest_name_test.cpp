#include "diptych/base/nearest_name.h"

#include <gtest/gtest.h>

namespace diptych {
namespace {

TEST(NearestName, HasTheSmallestEditDistance) {
  const std::set<std::string> known = {"image", "prompt", "sources", "thinking"};
  EXPECT_EQ(did_you_mean("promt", known), "did you mean 'prompt'?");
  EXPECT_EQ(did_you_mean("source", known), "did you mean 'sources'?");
  EXPECT_EQ(did_you_mean("imgae", known), "did you mean 'image'?");
  EXPECT_EQ(did_you_mean("think", known), "did you mean 'thinking'?");
  EXPECT_EQ(did_you_mean("x", {}), "");
}

TEST(NearestName, SimilarNamesKeepHalfOfTheirLetters) {
  const std::set<std::string> known = {"every", "seed", "steps"};
  EXPECT_EQ(similar_name("sede", known), "seed");
  EXPECT_EQ(similar_name("step", known), "steps");
  EXPECT_FALSE(similar_name("source", known));
  EXPECT_FALSE(similar_name("", known));
  EXPECT_FALSE(similar_name("seed", {}));
  EXPECT_FALSE(similar_name(std::string(1000, 's'), known));
}

}  // namespace
}  // namespace diptych
