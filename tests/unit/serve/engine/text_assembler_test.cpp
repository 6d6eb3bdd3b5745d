#include "diptych/serve/engine/text_assembler.h"

#include <gtest/gtest.h>

namespace diptych {
namespace {

TEST(TextAssemblerTest, CharactersComeWhole) {
  TextAssembler text;
  EXPECT_EQ(text.push("a\xe2"), "a");
  EXPECT_EQ(text.push("\x82"), "");
  EXPECT_EQ(text.push("\xac!"), "€!");
  EXPECT_EQ(text.push("\xf0\x9f"), "");
  EXPECT_EQ(text.finish(), "\xef\xbf\xbd");
}

TEST(TextAssemblerTest, BytesThatAreNoTextDoNotBlock) {
  TextAssembler text;
  EXPECT_EQ(text.push("\xff"), "\xef\xbf\xbd");
  EXPECT_EQ(text.push("\x80z"), "\xef\xbf\xbdz");
}

TEST(TextAssemblerTest, AStopStringEndsTheText) {
  TextAssembler text({"END", "\n\n"});
  EXPECT_EQ(text.push("so E"), "so ");
  EXPECT_EQ(text.push("N"), "");
  EXPECT_EQ(text.push("x"), "ENx");
  EXPECT_EQ(text.push("\n"), "");
  EXPECT_FALSE(text.stopped());
  EXPECT_EQ(text.push("yEND\n\nmore"), "\ny");
  EXPECT_TRUE(text.stopped());
  EXPECT_EQ(text.finish(), "");
}

TEST(TextAssemblerTest, ABegunStopStringIsTextInTheEnd) {
  TextAssembler text({"abcd"});
  EXPECT_EQ(text.push("xabc"), "x");
  EXPECT_EQ(text.finish(), "abc");
}

}  // namespace
}  // namespace diptych
