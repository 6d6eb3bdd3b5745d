#include "diptych/text/pretokenizer.h"

#include <gtest/gtest.h>

#include <string>

namespace diptych {
namespace {

using Pieces = std::vector<std::string_view>;

// Expected values: Python's regex.findall with kPretokenizerPattern.

TEST(Pretokenize, SplitsWordsWithTheirLeadingCharacter) {
  EXPECT_EQ(pretokenize("a photo of two cats"), (Pieces{"a", " photo", " of", " two", " cats"}));
  EXPECT_EQ(pretokenize("\tx (y)_z"), (Pieces{"\tx", " (", "y", ")_", "z"}));
  EXPECT_EQ(pretokenize(""), Pieces{});
}

TEST(Pretokenize, SplitsContractions) {
  EXPECT_EQ(pretokenize("it's they'RE we'Ll d'x"), (Pieces{"it", "'s", " they", "'RE", " we", "'Ll", " d", "'x"}));
  EXPECT_EQ(pretokenize("x'sy 'rx 'l"), (Pieces{"x", "'s", "y", " '", "rx", " '", "l"}));
  EXPECT_EQ(pretokenize("x'\u017fy"), (Pieces{"x", "'\u017f", "y"}));
}

TEST(Pretokenize, GivesEachNumberItsOwnPiece) {
  EXPECT_EQ(pretokenize("a12 3\u216b"), (Pieces{"a", "1", "2", " ", "3", "\u216b"}));
}

TEST(Pretokenize, LeavesTheLastSpaceToTheNextWord) {
  EXPECT_EQ(pretokenize("a   b"), (Pieces{"a", "  ", " b"}));
  EXPECT_EQ(pretokenize("a   1"), (Pieces{"a", "  ", " ", "1"}));
  EXPECT_EQ(pretokenize("a   "), (Pieces{"a", "   "}));
  EXPECT_EQ(pretokenize("a \u3000!"), (Pieces{"a", " ", "\u3000", "!"}));
}

TEST(Pretokenize, EndsSpacesAtTheLastLineBreak) {
  EXPECT_EQ(pretokenize("a \n \r\n  b"), (Pieces{"a", " \n \r\n", " ", " b"}));
  EXPECT_EQ(pretokenize("a.\n\nb"), (Pieces{"a", ".\n\n", "b"}));
  EXPECT_EQ(pretokenize("\n"), (Pieces{"\n"}));
}

TEST(Pretokenize, TreatsMarksAsSymbols) {
  EXPECT_EQ(pretokenize("e\u0301a"), (Pieces{"e", "\u0301a"}));
  EXPECT_EQ(pretokenize("x \u0301\u0301 "), (Pieces{"x", " \u0301\u0301", " "}));
}

TEST(Pretokenize, CoversTheText) {
  const std::string text = " \u00a0'S\r\n\t12ab\U0001F600\u200d--  \u4e2d\u6587 \n";
  std::string joined;
  for (const std::string_view piece : pretokenize(text)) joined += piece;
  EXPECT_EQ(joined, text);
}

}  // namespace
}  // namespace diptych
