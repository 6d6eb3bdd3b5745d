#include "diptych/reward/composition.h"

#include <gtest/gtest.h>

#include "unit/reward/fake_judge.h"

namespace diptych {
namespace {

RewardFunction always(const Score& score) {
  return [score](const std::vector<ScoredPair>& pairs) { return std::vector<Score>(pairs.size(), score); };
}

Score ok(double value, std::vector<Check> checks = {}, std::string raw = "") {
  return {.value = value, .checks = std::move(checks), .status = ScoreStatus::ok, .raw_reply = std::move(raw)};
}

Score without_value(ScoreStatus status, std::string raw) {
  return {.value = std::nullopt, .checks = {}, .status = status, .raw_reply = std::move(raw)};
}

Score sum_of(std::vector<RewardTerm> terms) {
  const TaskPrompt prompt = prompt_of("a dog");
  const Candidate candidate = candidate_of({filled_image(1)});
  const std::vector<Score> scores = weighted_sum(std::move(terms))({{&prompt, &candidate}, {&prompt, &candidate}});
  EXPECT_EQ(scores.size(), 2u);
  EXPECT_EQ(scores[0].value, scores[1].value);
  return scores[1];
}

double check(const Score& score, const std::string& name) {
  for (const Check& each : score.checks)
    if (each.name == name) return each.value;
  ADD_FAILURE() << "no check " << name;
  return -1;
}

TEST(WeightedSum, AddsAndKeepsEveryPart) {
  const Score sum = sum_of({{"dvreward", 1, always(ok(0.5, {{"s1", 0.25}}, "yes"))},
                            {"format_think", 0.5, always(ok(1))},
                            {"viescore", -2, always(ok(0.25, {{"s1", 6}}, "{}"))}});
  EXPECT_EQ(sum.status, ScoreStatus::ok);
  EXPECT_DOUBLE_EQ(sum.value.value(), 0.5 + 0.5 - 0.5);
  ASSERT_EQ(sum.terms.size(), 3u);
  EXPECT_EQ(sum.terms[2].name, "viescore");
  EXPECT_EQ(sum.terms[2].value, 0.25);
  EXPECT_EQ(check(sum, "term/format_think"), 1);
  EXPECT_EQ(check(sum, "s1"), 0.25);
  EXPECT_EQ(check(sum, "viescore/s1"), 6);
  EXPECT_EQ(sum.raw_reply, "dvreward: yes\nviescore: {}");
}

TEST(WeightedSum, OneTermIsPassedOn) {
  const Score score = sum_of({{"shapes_soft", 1, always(ok(0.5, {{"strict", 0}}, "why"))}});
  EXPECT_EQ(score.value, 0.5);
  EXPECT_EQ(score.raw_reply, "why");
  ASSERT_EQ(score.checks.size(), 1u);
  ASSERT_EQ(score.terms.size(), 1u);
  EXPECT_EQ(score.terms[0].name, "shapes_soft");
  EXPECT_EQ(score.terms[0].value, 0.5);
  const Score masked = sum_of({{"viescore", 1, always(without_value(ScoreStatus::masked, "down"))}});
  EXPECT_EQ(masked.status, ScoreStatus::masked);
  ASSERT_EQ(masked.terms.size(), 1u);
  EXPECT_FALSE(masked.terms[0].value);
}

TEST(WeightedSum, AMaskedTermMasksWhateverItsPlace) {
  const RewardFunction good = always(ok(1));
  const RewardFunction bad = always(without_value(ScoreStatus::masked, "down"));
  for (const bool first : {false, true}) {
    const Score sum = sum_of({{"a", 1, first ? bad : good}, {"b", 1, first ? good : bad}});
    EXPECT_EQ(sum.status, ScoreStatus::masked);
    EXPECT_FALSE(sum.value);
    ASSERT_EQ(sum.terms.size(), 2u);
    EXPECT_EQ(sum.terms[first ? 1 : 0].value, 1) << "what is known is kept";
    EXPECT_FALSE(sum.terms[first ? 0 : 1].value);
    EXPECT_NE(sum.raw_reply.find("down"), std::string::npos);
  }
}

TEST(WeightedSum, ATermOfWeightZeroHasNoSay) {
  const Score sum = sum_of({{"a", 1, always(ok(0.5))},
                            {"b", 0, always(without_value(ScoreStatus::masked, "down"))},
                            {"c", 0, always(ok(7))}});
  EXPECT_EQ(sum.value, 0.5);
  EXPECT_EQ(check(sum, "term/c"), 7);
  ASSERT_EQ(sum.terms.size(), 3u) << "every term keeps its place";
  EXPECT_EQ(sum.terms[1].name, "b");
  EXPECT_EQ(sum.terms[1].weight, 0);
  EXPECT_FALSE(sum.terms[1].value);
  EXPECT_EQ(sum.terms[2].value, 7);
}

TEST(WeightedSum, FailedBeatsMasked) {
  const RewardFunction masked = always(without_value(ScoreStatus::masked, ""));
  const RewardFunction failed = always(without_value(ScoreStatus::failed, ""));
  EXPECT_EQ(sum_of({{"a", 1, masked}, {"b", 1, failed}}).status, ScoreStatus::failed);
  EXPECT_EQ(sum_of({{"a", 1, failed}, {"b", 1, masked}}).status, ScoreStatus::failed);
}

}  // namespace
}  // namespace diptych
