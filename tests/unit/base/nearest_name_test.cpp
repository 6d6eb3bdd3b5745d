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

}  // namespace
}  // namespace diptych
