#include "diptych/base/ascii.h"

#include <gtest/gtest.h>

namespace diptych {
namespace {

TEST(Ascii, BlanksAreCutOffBothEnds) {
  EXPECT_EQ(trimmed(" \n a b\t"), "a b");
  EXPECT_EQ(trimmed(" \r\n"), "");
  EXPECT_EQ(trimmed(""), "");
  EXPECT_EQ(trimmed("\v\fa\f\v"), "a");
}

TEST(Ascii, AFormatMayKnowFewerBlanks) {
  EXPECT_EQ(trimmed(" \ta\n ", " \t"), "a\n");
  EXPECT_EQ(trimmed(" \n ", " \t"), "\n");
  EXPECT_EQ(trimmed(" \t ", " \t"), "");
}

}  // namespace
}  // namespace diptych
