#include "diptych/reward/plain_reply.h"

#include <gtest/gtest.h>

namespace diptych {
namespace {

TEST(PlainReply, TakesOffWhatDressesWords) {
  EXPECT_EQ(plain_reply("**Yes**"), "yes");
  EXPECT_EQ(plain_reply(" \xE2\x80\x9CYes\xE2\x80\x9D \n"), "yes");       // typographic quotes
  EXPECT_EQ(plain_reply("\xEF\xBC\xB9\xEF\xBD\x85\xEF\xBD\x93"), "yes");  // full width
  EXPECT_EQ(plain_reply("\xEF\xBB\xBF`8\xEF\xBC\x8F\xEF\xBC\x91\xEF\xBC\x90`"), "8/10");
  EXPECT_EQ(plain_reply("a\t\xC2\xA0 b"), "a b");
  EXPECT_EQ(plain_reply("\xFFyes"), "\xEF\xBF\xBDyes");
}

TEST(SaidYes, ReadsPlainJudgements) {
  for (const char* reply : {"yes", "Yes.", "**Yes**", "\"Yes\"", "yes, there are three", "Answer: yes",
                            "**Answer:** Yes", "The answer is yes.", "Final answer: YES!", "- yes", "(yes)",
                            "\\boxed{Yes}", "{\"answer\": \"yes\"}", "yes - it does", "Yes, there is no cat",
                            "\xE6\x98\xAF", "\xE6\x98\xAF\xE7\x9A\x84\xE3\x80\x82", "Verdict\xEF\xBC\x9A yes"})
    EXPECT_EQ(said_yes(reply), true) << reply;
  for (const char* reply : {"no", "No, it is blue.", "answer: **no**", "\xE5\x90\xA6", "\xE4\xB8\x8D\xE6\x98\xAF"})
    EXPECT_EQ(said_yes(reply), false) << reply;
}

TEST(SaidYes, AnythingElseIsNoJudgement) {
  for (const char* reply :
       {"", "  ", "**", "Maybe", "yes or no", "Yes/No", "yes and no", "not really", "yesterday", "none",
        "The image shows a cat", "Thinking Process:\n1. yes", "I cannot say yes", "s\xC3\xAD", "answers: yes"})
    EXPECT_EQ(said_yes(reply), std::nullopt) << reply;
}

TEST(SaidMark, IsTheOnlyThingSaid) {
  const auto value = [](const char* reply) {
    const std::optional<Mark> mark = said_mark(reply);
    return mark ? mark->value : -100;
  };
  EXPECT_EQ(value("8"), 8);
  EXPECT_EQ(value("**8.5**"), 8.5);
  EXPECT_EQ(value("Score: 7."), 7);
  EXPECT_EQ(value("Overall score: -2"), -2);
  EXPECT_EQ(value("\xEF\xBC\x98"), 8);
  EXPECT_EQ(value("\\boxed{9}"), 9);
  EXPECT_EQ(said_mark("8/10")->scale, 10);
  EXPECT_EQ(said_mark("Rating: 8 out of 10")->scale, 10);
  for (const char* reply :
       {"", "good", "3 cats", "3 or 4", "1 to 5: 3", "1. The dog", "8%", "1,000", "8 9", "1e5", "nan", "-"})
    EXPECT_FALSE(said_mark(reply)) << reply;
  EXPECT_FALSE(said_mark(std::string(100000, '1')));
}

TEST(SaidMark, OutsideItsScaleIsNone) {
  EXPECT_EQ(mark_within(said_mark("4/5"), 1, 5), 4);
  EXPECT_FALSE(mark_within(said_mark("4/10"), 1, 5));
  EXPECT_FALSE(mark_within(said_mark("6"), 1, 5));
  EXPECT_FALSE(mark_within(said_mark("-1"), 0, 10));
  EXPECT_FALSE(mark_within(std::nullopt, 0, 10));
}

}  // namespace
}  // namespace diptych
