#include "diptych/report/html/text_difference.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace diptych {
namespace {

std::string marked(std::string_view before, std::string_view after) {
  std::string text;
  for (const TextPiece& piece : text_difference(before, after)) {
    const char mark = piece.change == WordChange::kept ? '=' : piece.change == WordChange::removed ? '-' : '+';
    text += (text.empty() ? "" : "|") + std::string(1, mark) + piece.words;
  }
  return text;
}

TEST(TextDifferenceTest, EqualTextsAreKept) {
  EXPECT_EQ(marked("a red circle", "a  red\ncircle "), "=a red circle");
  EXPECT_EQ(marked("", " \n"), "");
}

TEST(TextDifferenceTest, ChangedWordsStandWhereTheyWere) {
  EXPECT_EQ(marked("ink is purple . a purple square", "ink is black . a black square"),
            "=ink is|-purple|+black|=. a|-purple|+black|=square");
}

TEST(TextDifferenceTest, AddedAndRemovedAlone) {
  EXPECT_EQ(marked("", "two rings"), "+two rings");
  EXPECT_EQ(marked("two rings", ""), "-two rings");
  EXPECT_EQ(marked("a b c", "a c d"), "=a|-b|=c|+d");
}

TEST(TextDifferenceTest, KeepsAsManyWordsAsPossible) {
  size_t kept = 0;
  for (const TextPiece& piece : text_difference("x a b c y", "a x b y c"))
    if (piece.change == WordChange::kept)
      kept += 1 + static_cast<size_t>(std::count(piece.words.begin(), piece.words.end(), ' '));
  EXPECT_EQ(kept, 3u);
}

TEST(TextDifferenceTest, VeryLongTextsAreReplacedAsAWhole) {
  std::string longer;
  for (size_t i = 0; i <= kMostDifferenceWords; ++i) longer += "w ";
  const auto pieces = text_difference(longer, "w");
  ASSERT_EQ(pieces.size(), 2u);
  EXPECT_EQ(pieces[0].change, WordChange::removed);
  EXPECT_EQ(pieces[1].change, WordChange::added);
}

TEST(TextDifferenceTest, HtmlIsEscapedAndMarked) {
  EXPECT_EQ(difference_html(text_difference("a <b>", "a <script>")),
            "a <del>&lt;b&gt;</del> <ins>&lt;script&gt;</ins>");
}

}  // namespace
}  // namespace diptych
