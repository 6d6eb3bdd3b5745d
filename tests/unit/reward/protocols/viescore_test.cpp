#include "diptych/reward/protocols/viescore.h"

#include <gtest/gtest.h>

#include <cmath>

#include "unit/reward/fake_judge.h"

namespace diptych {
namespace {

using Ratings = std::vector<double>;

TEST(VieScoreRatings, ReadsWhatJudgesWrite) {
  EXPECT_EQ(viescore_ratings(R"({"score": [7, 8.5], "reasoning": "fine"})"), (Ratings{7, 8.5}));
  EXPECT_EQ(viescore_ratings("Sure!\n```json\n{\n\"score\" : [3],\n\"reasoning\" : \"two\nlines\"\n}\n```"),
            Ratings{3});
  EXPECT_EQ(viescore_ratings(R"({"score": 9, "reasoning": ""})"), Ratings{9});
  EXPECT_EQ(viescore_ratings(R"(||V^=^V||{"score": [1, 2]}||V^=^V|| {no})"), (Ratings{1, 2}));
  EXPECT_EQ(viescore_ratings("[6, 0]"), (Ratings{6, 0}));
  EXPECT_EQ(viescore_ratings(" 10\n"), Ratings{10});
}

TEST(VieScoreRatings, ReadsTheScoreOfBrokenJson) {
  EXPECT_EQ(viescore_ratings(R"({"score": [4, 5], "reasoning": "the "red" one",})"), (Ratings{4, 5}));
  EXPECT_EQ(viescore_ratings("{score: [4], reasoning: none}"), Ratings{4});
  EXPECT_EQ(viescore_ratings("{'score': 6.5, 'reasoning': 'x'}"), Ratings{6.5});
}

TEST(VieScoreRatings, ReadsTheKeyAndNotTheProseAroundIt) {
  for (const char* reply : {R"({"reasoning": "a low score because 2 of the "dogs" are gone", "score": [8, 9]})",
                            R"({"reasoning": "the \"score\" of 3 is too low for "dogs"", "score": [8, 9]})",
                            R"({"score": [8, 9], "reasoning": "a "score": 3 would be too low for "dogs""})",
                            R"({"reasoning": "score: 3 is too low for "dogs"", "score": [8, 9]})",
                            R"({"Score": ["8", "9"]})", R"({"score": ["8/10", "9 out of 10"]})",
                            R"({"score": ["8.0 out of 10", 9]})", "output score = [8, 9]", "｛\"score\": ［８, ９］｝"})
    EXPECT_EQ(viescore_ratings(reply), (Ratings{8, 9})) << reply;
  for (const char* reply :
       {"**8**", "\"8\"", "- **8**", "\\boxed{8}", "```\n8\n```", "８", "8/10", "8 out of 10.", "Score: 8",
        "<answer>8</answer>", "My rating is 8", "8分", "8: a fine picture", R"({"score": 8/10, "reasoning": ""a""})"})
    EXPECT_EQ(viescore_ratings(reply), Ratings{8}) << reply;
}

TEST(VieScoreRatings, GivesNothingRatherThanAGuess) {
  for (const char* reply : {"",
                            "great picture",
                            "{}",
                            R"({"score": []})",
                            R"({"score": [11]})",
                            R"({"score": [-1]})",
                            R"({"score": ["good"]})",
                            R"({"rating": [5]})",
                            "{score: none}",
                            "}{",
                            "{\"score\": [3",
                            "42",
                            R"([[1, 2]])",
                            "||V^=^V||",
                            "3 red circles are missing",
                            "there are 3 dogs",
                            "[3] dogs are seen in [4]",
                            "8/5",
                            "80%",
                            "8 %",
                            "-8",
                            "−8",
                            "1e400",
                            "NaN",
                            "7 or 8",
                            "8,5",
                            "8.5.1",
                            R"({"score": [1e400]})",
                            R"({"score": NaN})",
                            R"({"score": [8, NaN]})",
                            R"({"score": ["-8"]})",
                            R"({"score": "8/5"})",
                            R"({"score": [3], "reasoning": "a "quote"", "score": [8]})",
                            R"({"score": {"first": 8}})",
                            R"({"result": {"score": [8]}})",
                            R"({"score": true})",
                            R"({"score": 8, "Score": 2})",
                            R"({"score": "8 of the dogs"})",
                            R"({"score": [8, 9)"})
    EXPECT_FALSE(viescore_ratings(reply)) << reply;
}

ChatResult rate(const ChatRequest& request) {
  const bool is_quality = question_in(request).find("naturalness") != std::string::npos;
  return replied(is_quality ? R"({"score": [9, 4], "reasoning": "a"})" : R"({"score": [6], "reasoning": "b"})");
}

TEST(VieScore, IsTheRootOfTheSmallestRatings) {
  const FakeJudge judge{rate};
  const TaskPrompt prompt = prompt_of("a dog");
  const Candidate candidate = candidate_of({filled_image(1)});
  const Score score = viescore({{&prompt, &candidate}}, judge)[0];
  EXPECT_NEAR(score.value.value(), std::sqrt(6.0 * 4.0) / 10, 1e-12);
  ASSERT_EQ(score.checks.size(), 2u);
  EXPECT_EQ(score.checks[0].value, 6);
  EXPECT_EQ(score.checks[1].value, 4);

  const std::vector<ChatRequest>& requests = judge.batches->front();
  ASSERT_EQ(requests.size(), 2u);
  const std::vector<ChatPart>& parts = requests[0].messages[0].parts;
  ASSERT_EQ(parts.size(), 2u);
  EXPECT_TRUE(parts[0].text.ends_with("Text Prompt: a dog\n")) << "text comes first";
  ASSERT_TRUE(parts[1].image);
  EXPECT_EQ(parts[1].encoding, ImageEncoding::jpeg);
  EXPECT_EQ(parts[1].jpeg_quality, 75);
  EXPECT_EQ(requests[1].messages[0].parts.size(), 2u);
}

TEST(VieScore, AnEditShowsTheSourceToo) {
  const FakeJudge judge{rate};
  TaskPrompt prompt = prompt_of("remove the dog");
  prompt.sources = {filled_image(5)};
  const Candidate candidate = candidate_of({filled_image(6)});
  viescore({{&prompt, &candidate}}, judge);
  const std::vector<ChatPart>& parts = judge.batches->front()[0].messages[0].parts;
  ASSERT_EQ(parts.size(), 3u);
  EXPECT_TRUE(parts[0].text.ends_with("Editing instruction: remove the dog\n"));
  EXPECT_EQ(parts[1].image->pixels[0], 5);
  EXPECT_EQ(parts[2].image->pixels[0], 6);
  const std::vector<ChatPart>& quality = judge.batches->front()[1].messages[0].parts;
  ASSERT_EQ(quality.size(), 2u);
  EXPECT_EQ(quality[1].image->pixels[0], 6);
}

TEST(VieScore, AnUnreadableReplyMasks) {
  const TaskPrompt prompt = prompt_of("a dog");
  const Candidate candidate = candidate_of({filled_image(1)});
  const auto status = [&](const std::function<ChatResult(const ChatRequest&)>& answer) {
    const Score score = viescore({{&prompt, &candidate}}, FakeJudge{answer})[0];
    EXPECT_FALSE(score.value);
    return score;
  };
  const Score prose = status([](const ChatRequest&) { return replied("lovely"); });
  EXPECT_EQ(prose.status, ScoreStatus::masked);
  EXPECT_NE(prose.raw_reply.find("no ratings in: lovely"), std::string::npos);
  EXPECT_EQ(status([](const ChatRequest&) { return failed_request("down"); }).status, ScoreStatus::masked);
  const Score cut = status([](const ChatRequest&) {
    ChatResult result = replied("<think> maybe {\"score\": [9]}");
    result.reply->finish_reason = "length";
    return result;
  });
  EXPECT_EQ(cut.status, ScoreStatus::masked);
  EXPECT_NE(cut.raw_reply.find("cut off"), std::string::npos);
}

TEST(VieScore, ThoughtsAreNoVerdict) {
  const FakeJudge judge{[](const ChatRequest&) { return replied("<think>{\"score\": [1]}</think>{\"score\": [8]}"); }};
  const TaskPrompt prompt = prompt_of("a dog");
  const Candidate candidate = candidate_of({filled_image(1)});
  EXPECT_NEAR(viescore({{&prompt, &candidate}}, judge)[0].value.value(), 0.8, 1e-12);
}

}  // namespace
}  // namespace diptych
