#include "diptych/reward/protocols/scalar_score.h"

#include <gtest/gtest.h>

#include <cmath>

#include "unit/reward/fake_judge.h"

namespace diptych {
namespace {

Score score(const ChatResult& reply, bool from_logprobs, ChatRequest* request = nullptr) {
  const FakeJudge judge{[&](const ChatRequest&) { return reply; }};
  const TaskPrompt prompt = prompt_of("a dog");
  const Candidate candidate = candidate_of({filled_image(1)});
  const Score result = scalar_score({{&prompt, &candidate}}, judge, {from_logprobs})[0];
  if (request != nullptr) *request = judge.batches->front()[0];
  return result;
}

TEST(WrittenRating, TakesTheOnlyNumber) {
  EXPECT_EQ(written_rating("4"), 4);
  EXPECT_EQ(written_rating(" 4.5 "), 4.5);
  EXPECT_EQ(written_rating("Score: 3."), 3);
  EXPECT_EQ(written_rating("4/5"), 4);
  for (const char* reply :
       {"**4**", "\"4\"", "- **4**", "\\boxed{4}", "４", "4 out of 5", "I would rate this image 4.", "4 stars", "4星"})
    EXPECT_EQ(written_rating(reply), 4) << reply;
  for (const char* reply : {"", "good", "0", "6", "45", "3 or 4", "1 to 5: 3", "-", "-4", "4%", "4/10",
                            "there are 3 dogs", "3 dogs", "4.5.1", "1e400", "nan", "4th"})
    EXPECT_FALSE(written_rating(reply)) << reply;
}

TEST(ExpectedRating, IsTheMeanOverDigits) {
  const auto rating =
      expected_rating({{"4", std::log(0.5)}, {" 5", std::log(0.25)}, {"7", std::log(0.1)}, {"four", std::log(0.1)}});
  EXPECT_NEAR(rating.value(), (4 * 0.5 + 5 * 0.25) / 0.75, 1e-12);
  EXPECT_FALSE(expected_rating({{"yes", -0.1}}));
  EXPECT_FALSE(expected_rating({}));
  EXPECT_FALSE(expected_rating({{"3", std::nan("")}}));
}

TEST(ScalarScore, MapsOneToFiveOntoZeroToOne) {
  ChatRequest request;
  const Score result = score(replied("4"), false, &request);
  EXPECT_DOUBLE_EQ(result.value.value(), 0.75);
  EXPECT_EQ(result.checks.at(0).value, 4);
  ASSERT_EQ(request.messages[0].parts.size(), 2u);
  EXPECT_TRUE(request.messages[0].parts[0].image) << "the image comes first";
  EXPECT_TRUE(request.messages[0].parts[1].text.ends_with("Request: a dog"));
  EXPECT_EQ(request.temperature, 0);
  EXPECT_EQ(request.top_logprobs, 0);
}

TEST(ScalarScore, CanReadTheLogProbabilities) {
  ChatRequest request;
  const ChatResult reply = replied("5", {{"5", std::log(0.6)}, {"1", std::log(0.2)}});
  EXPECT_NEAR(score(reply, true, &request).value.value(), 0.75, 1e-12);
  EXPECT_EQ(request.top_logprobs, 20);
  EXPECT_EQ(score(reply, false).value, 1);
}

TEST(ScalarScore, TheFirstTokenThatIsADigitIsRead) {
  ChatResult bold = replied("**4**", {{"**", std::log(0.9)}, {"1", std::log(0.05)}});
  bold.reply->tokens[0].token = "**";
  bold.reply->tokens.push_back({"4", std::log(0.5), {{"4", std::log(0.5)}, {"5", std::log(0.5)}}});
  EXPECT_NEAR(score(bold, true).value.value(), 0.875, 1e-12);
  EXPECT_EQ(score(replied("There", {{"There", std::log(0.9)}, {"1", std::log(0.01)}}), true).status,
            ScoreStatus::masked)
      << "a digit that was not written";
  ChatResult ten = replied("10", {{"1", std::log(0.9)}});
  ten.reply->tokens[0].token = "1";
  EXPECT_EQ(score(ten, true).status, ScoreStatus::masked) << "the first digit of a larger number";
}

TEST(ScalarScore, NoRatingMasks) {
  EXPECT_EQ(score(replied("nice"), false).status, ScoreStatus::masked);
  EXPECT_EQ(score(replied("4"), true).status, ScoreStatus::masked) << "no log-probabilities";
  EXPECT_EQ(score(replied("yes", {{"yes", -0.1}}), true).status, ScoreStatus::masked);
  const Score down = score(failed_request("down"), false);
  EXPECT_EQ(down.status, ScoreStatus::masked);
  EXPECT_FALSE(down.value);
  EXPECT_EQ(down.raw_reply, "down");
}

}  // namespace
}  // namespace diptych
