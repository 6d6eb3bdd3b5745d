#include "diptych/tensor/torch.h"

#include "diptych/train/evaluate/evaluation_exchange.h"

#include <gtest/gtest.h>

#include "diptych/train/run/exchanged_json.h"

namespace diptych {
namespace {

using nlohmann::json;

json through_cbor(const json& value) {
  return json::from_cbor(json::to_cbor(value));
}

TEST(EvaluationExchangeTest, ASampleComesBackWholeButForItsPrompt) {
  EvaluatedSample sample;
  sample.place = 17;
  sample.prompt.text = "two squares";
  sample.candidate.prompt = "two squares";
  sample.candidate.texts = {"a thought", std::string("cut \xf0\x9f", 6), ""};
  sample.candidate.images = {Image{2, 3, {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 255}},
                             Image{1, 1, {9, 8, 7}}};
  sample.think_tokens = 71;
  sample.score.value = 0.1 + 0.2;
  sample.score.checks = {{"count", 1.0 / 3}};
  sample.score.terms = {{"shapes_soft", 1, 0.7}, {"brightness", -0.5, -1}, {"command", 0, std::nullopt}};
  sample.score.raw_reply = "yes";
  sample.correct = true;
  sample.correct_rounds = {false, true};
  for (const size_t i : {0, 1, 2})
    sample.reviews.push_back({.text = i + 1, .picture = 10 * i, .of_right_picture = i == 0, .stopped = i == 1});
  const EvaluatedSample back = sample_of_json(through_cbor(json_of_sample(sample)));
  EXPECT_EQ(back.place, 17u);
  EXPECT_EQ(back.prompt.text, "");
  EXPECT_EQ(back.candidate.prompt, sample.candidate.prompt);
  EXPECT_EQ(back.candidate.texts, sample.candidate.texts);
  ASSERT_EQ(back.candidate.images.size(), 2u);
  for (size_t i = 0; i < 2; ++i) {
    EXPECT_EQ(back.candidate.images[i].height, sample.candidate.images[i].height);
    EXPECT_EQ(back.candidate.images[i].pixels, sample.candidate.images[i].pixels);
  }
  EXPECT_EQ(back.think_tokens, 71);
  EXPECT_TRUE(back.correct);
  EXPECT_EQ(back.correct_rounds, sample.correct_rounds);
  ASSERT_EQ(back.reviews.size(), 3u);
  for (size_t i = 0; i < 3; ++i) {
    EXPECT_EQ(back.reviews[i].text, i + 1);
    EXPECT_EQ(back.reviews[i].picture, 10 * i);
    EXPECT_EQ(back.reviews[i].of_right_picture, i == 0);
    EXPECT_EQ(back.reviews[i].stopped, i == 1);
  }
  EXPECT_EQ(json_of_score(back.score), json_of_score(sample.score));
  EXPECT_EQ(back.score.value, sample.score.value);
}

TEST(EvaluationExchangeTest, AScoreWithoutAValueStaysOne) {
  for (const ScoreStatus status : {ScoreStatus::masked, ScoreStatus::failed}) {
    Score score;
    score.status = status;
    const Score back = score_of_json(through_cbor(json_of_score(score)));
    EXPECT_FALSE(back.value);
    EXPECT_EQ(back.status, status);
  }
}

}  // namespace
}  // namespace diptych
