#include "diptych/reward/protocols/reply_words.h"

#include <gtest/gtest.h>

namespace diptych {
namespace {

std::optional<bool> said(const std::string& reply) {
  const std::optional<ReplyWord> verdict = yes_no_verdict(plain_signs(reply));
  return verdict ? yes_or_no(verdict->text) : std::nullopt;
}

TEST(PlainSigns, FullWidthSignsAreThoseOfAscii) {
  EXPECT_EQ(plain_signs("Ｙｅｓ：８／１０　！"), "Yes:8/10 !");
  EXPECT_EQ(plain_signs("\xFFyes"), "\xEF\xBF\xBDyes");
}

TEST(ReplyWords, AreLettersAndNumbersWithTheirPlaces) {
  const std::vector<ReplyWord> words = reply_words("**Yes**, 8.5/10");
  ASSERT_EQ(words.size(), 3u);
  EXPECT_EQ(words[0].text, "yes");
  EXPECT_EQ(words[0].begin, 2u);
  EXPECT_EQ(words[0].end, 5u);
  EXPECT_EQ(words[1].text, "8.5");
  EXPECT_EQ(words[2].text, "10");
}

TEST(YesNoVerdict, ReadsPlainJudgements) {
  for (const char* reply : {"yes",
                            "Yes.",
                            "**Yes**",
                            "\"Yes\"",
                            "yes, there are three",
                            "Answer: yes",
                            "**Answer:** Yes",
                            "Final answer: YES!",
                            "The answer is yes.",
                            "- yes",
                            "(yes)",
                            "\\boxed{Yes}",
                            "{\"answer\": \"yes\"}",
                            "```json\n\"yes\"\n```",
                            "yes - it does",
                            "Yes, there is no cat",
                            "是",
                            "是的。",
                            "答案：是",
                            "Ｙｅｓ"})
    EXPECT_EQ(said(reply), true) << reply;
  for (const char* reply : {"no", "No, it is blue.", "answer: **no**", "否", "不是", "Нет."})
    EXPECT_EQ(said(reply), false) << reply;
}

TEST(YesNoVerdict, AnythingElseIsNoJudgement) {
  for (const char* reply :
       {"", "  ", "**", "Maybe", "yes or no", "Yes/No", "Answer: yes/no", "not really", "yesterday", "none",
        "The image shows a cat", "Thinking Process:\n1. yes", "I cannot say yes", "The result is no different"})
    EXPECT_EQ(said(reply), std::nullopt) << reply;
}

TEST(RatingInWords, IsTheOnlyNumberAndItsScaleTheRight) {
  for (const char* reply : {"8", "**8**", "Score: 8.", "8/10", "Rating: 8 out of 10", "\\boxed{8}", "８／１０", "8分",
                            "I would give this image a 8."})
    EXPECT_EQ(rating_in_words(reply, 0, 10), 8) << reply;
  EXPECT_EQ(rating_in_words("8.5", 0, 10), 8.5);
  for (const char* reply : {"", "good", "3 cats", "3 or 4", "1 to 5: 3", "8%", "8 9", "-2", "4/5", "8 out of 100", "11",
                            "1e5", "nan", "8.5.1"})
    EXPECT_EQ(rating_in_words(reply, 0, 10), std::nullopt) << reply;
  EXPECT_EQ(rating_in_words(std::string(100000, '1'), 0, 10), std::nullopt);
}

}  // namespace
}  // namespace diptych
