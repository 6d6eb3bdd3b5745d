#include "diptych/text/think.h"

#include <gtest/gtest.h>

namespace diptych {
namespace {

void expect_parts(std::string_view text, std::string_view reasoning, std::string_view answer, bool well_formed) {
  const ThinkText parsed = parse_think(text);
  EXPECT_EQ(parsed.reasoning, reasoning) << text;
  EXPECT_EQ(parsed.answer, answer) << text;
  EXPECT_EQ(parsed.well_formed, well_formed) << text;
}

TEST(ParseThink, SplitsTheWellFormedText) {
  expect_parts("<think> three wheels . </think> three red circles", "three wheels .", "three red circles", true);
  expect_parts(" \n<think>\na\nb\n</think>\nc\n", "a\nb", "c", true);
  expect_parts("<think></think>", "", "", true);
}

TEST(ParseThink, GivesTheAnswerOfATextWithoutTags) {
  expect_parts(" a red circle ", "", "a red circle", false);
  expect_parts("", "", "", false);
}

TEST(ParseThink, TakesAnUnclosedThinkAsReasoning) {
  expect_parts("<think> a b", "a b", "", false);
}

TEST(ParseThink, MarksMisplacedAndRepeatedTags) {
  expect_parts("so <think> a </think> b", "a", "b", false);
  expect_parts("a </think> b", "a", "b", false);
  expect_parts("<think> a <think> b </think> c", "a <think> b", "c", false);
  expect_parts("<think> a </think> b </think> c", "a", "b </think> c", false);
  expect_parts("<think> a </think> b <think> c </think> d", "a", "b <think> c </think> d", false);
  expect_parts("</think> a <think> b", "b", "", false);
}

}  // namespace
}  // namespace diptych
