#include "diptych/text/unicode.h"

#include <gtest/gtest.h>

namespace diptych {
namespace {

TEST(RepairUtf8, KeepsValidText) {
  const std::string text = "a\u00e9\u4e2d\U0001F600\uFFFD";
  EXPECT_EQ(repair_utf8(text), text);
}

TEST(RepairUtf8, ReplacesEachMaximalInvalidPartOnce) {
  EXPECT_EQ(repair_utf8("\x80"), "\uFFFD");
  EXPECT_EQ(repair_utf8("a\xE2\x82z"), "a\uFFFDz");                            // truncated: one part
  EXPECT_EQ(repair_utf8("\xF0\x9F\x98"), "\uFFFD");                            // truncated at the end
  EXPECT_EQ(repair_utf8("\xC0\xAF"), "\uFFFD\uFFFD");                          // overlong
  EXPECT_EQ(repair_utf8("\xE0\x80\x80"), "\uFFFD\uFFFD\uFFFD");                // overlong
  EXPECT_EQ(repair_utf8("\xED\xA0\x80"), "\uFFFD\uFFFD\uFFFD");                // surrogate
  EXPECT_EQ(repair_utf8("\xF4\x90\x80\x80"), "\uFFFD\uFFFD\uFFFD\uFFFD");      // past U+10FFFF
  EXPECT_EQ(repair_utf8("\xF1\x80\x80\xE1\x80\xC2z"), "\uFFFD\uFFFD\uFFFDz");  // three truncated parts
}

TEST(CodePoints, RoundTrip) {
  std::string text;
  for (const char32_t code_point : {U'\0', U'a', U'\u00e9', U'\u4e2d', U'\U0001F600', U'\U0010FFFF'}) {
    append_code_point(&text, code_point);
  }
  std::size_t position = 0;
  for (const char32_t code_point : {U'\0', U'a', U'\u00e9', U'\u4e2d', U'\U0001F600', U'\U0010FFFF'}) {
    EXPECT_EQ(next_code_point(text, &position), code_point);
  }
  EXPECT_EQ(position, text.size());
}

TEST(NormalizeNfc, ComposesAndKeepsNulBytes) {
  EXPECT_EQ(normalize_nfc("e\u0301"), "\u00e9");
  EXPECT_EQ(normalize_nfc("\u212b"), "\u00c5");
  EXPECT_EQ(normalize_nfc("\u1112\u1161\u11ab"), "\ud55c");
  EXPECT_EQ(normalize_nfc("\u0958"), "\u0915\u093c");  // composition exclusion
  const std::string with_nul("e\u0301\0e\u0301", 7);
  EXPECT_EQ(normalize_nfc(with_nul), std::string("\u00e9\0\u00e9", 5));
  EXPECT_EQ(normalize_nfc(""), "");
}

TEST(NormalizeNfc, OrdersMarks) {
  EXPECT_EQ(normalize_nfc("q\u0307\u0323"), "q\u0323\u0307");  // below comes before above
  EXPECT_EQ(normalize_nfc("q\u0301\u0300"), "q\u0301\u0300");  // of equal class, the order counts
  EXPECT_EQ(normalize_nfc("a\u0315\u0300\u05ae\u0300b"), "\u00e0\u05ae\u0300\u0315b");
  EXPECT_EQ(normalize_nfc("\u1e9b\u0323"), "\u1e9b\u0323");          // decomposed, ordered, composed again
  EXPECT_EQ(normalize_nfc("a\u0f73\u0f71"), "a\u0f71\u0f71\u0f72");  // a mark that decomposes into two classes
}

// With a sort that takes quadratic time this would run for hours.
TEST(NormalizeNfc, TakesAMillionMarks) {
  std::string marks, below, above;
  for (int i = 0; i < 500'000; ++i) {
    marks += "\u0307\u0323";
    below += "\u0323";
    above += "\u0307";
  }
  EXPECT_EQ(normalize_nfc("q" + marks), "q" + below + above);
}

TEST(Categories, FollowTheUnicodeProperties) {
  EXPECT_TRUE(is_letter(U'\u4e2d') && is_letter(U'\u02b0') && !is_letter(U'\u0301') && !is_letter('1'));
  EXPECT_TRUE(is_number('1') && is_number(U'\u216b') && is_number(U'\u00bd') && !is_number('a'));
  EXPECT_TRUE(is_white_space(U'\u00a0') && is_white_space(U'\u0085') && is_white_space(U'\u3000'));
  EXPECT_FALSE(is_white_space(0x1C) || is_white_space(0x1F) || is_white_space(U'\u200b') || is_white_space(0xFEFF));
}

}  // namespace
}  // namespace diptych
