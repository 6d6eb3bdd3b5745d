#include "diptych/reward/yes_probability.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>

#include "fake_judge.h"

namespace diptych {
namespace {

TEST(YesProbability, SumsEveryFormOfYesAndNo) {
  const double v = yes_probability({{"Yes", std::log(0.2)}, {" yes.", std::log(0.1)}, {"NO", std::log(0.1)}}, "Yes");
  EXPECT_NEAR(v, 0.75, 1e-15);
  EXPECT_EQ(yes_probability({{"\xC2\xA0yes", -1}, {"maybe", -0.1}}, "no"), 1);
  EXPECT_EQ(yes_probability({{"\xFFyes", -1}, {"no", -2}}, "yes"), 0);
}

TEST(YesProbability, FallsBackOnTheTextIfNeitherIsListed) {
  EXPECT_EQ(yes_probability({{"The", -0.1}}, " YES! "), 1);
  EXPECT_EQ(yes_probability({{"The", -0.1}}, "The image"), 0);
  EXPECT_EQ(yes_probability({}, ""), 0);
}

TEST(YesNoRequest, IsAlphaGrpos) {
  YesNoOptions options;
  options.system_prompt = "be strict";
  const ChatRequest request = yes_no_request(shared_image(filled_image(7)), "Is it grey?", options);
  ASSERT_EQ(request.messages.size(), 2u);
  EXPECT_EQ(request.messages[0].role, "system");
  EXPECT_EQ(request.messages[0].parts[0].text, "be strict");
  const std::vector<ChatPart>& parts = request.messages[1].parts;
  EXPECT_EQ(request.messages[1].role, "user");
  ASSERT_EQ(parts.size(), 2u);
  ASSERT_TRUE(parts[0].image) << "the image comes first";
  EXPECT_EQ(parts[0].image->pixels, filled_image(7).pixels);
  EXPECT_EQ(parts[0].encoding, ImageEncoding::jpeg);
  EXPECT_EQ(parts[1].text, "Is it grey?");
  EXPECT_EQ(request.temperature, 0);
  EXPECT_EQ(request.top_p, 0.9);
  EXPECT_EQ(request.max_tokens, 10);
  EXPECT_EQ(request.top_logprobs, 5);

  options.system_prompt = "";
  options.encoding = ImageEncoding::png;
  options.top_logprobs = 20;
  const ChatRequest plain = yes_no_request(shared_image(filled_image(7)), "?", options);
  EXPECT_EQ(plain.messages.size(), 1u);
  EXPECT_EQ(plain.messages[0].parts[0].encoding, ImageEncoding::png);
  EXPECT_EQ(plain.top_logprobs, 20);
}

TEST(YesNoAnswer, WhatIsNoAnswerSaysWhy) {
  const auto failure = [](const ChatResult& result) {
    const YesNoAnswer answer = yes_no_answer(result);
    EXPECT_FALSE(answer.yes);
    return answer.failure;
  };
  EXPECT_EQ(failure(failed_request("timeout")), "timeout");
  EXPECT_EQ(failure(replied("yes")), "the reply has no log-probabilities");
  EXPECT_EQ(failure(replied("yes", {})), "the reply has no log-probabilities");
  EXPECT_NE(failure(replied("<think>hm", {{"<think>", -0.1}})).find("thinking"), std::string::npos);
  ChatResult thinker = replied("yes", {{"hm", -0.1}});
  thinker.reply->reasoning = "hm, let me see";
  EXPECT_NE(failure(thinker).find("thinking"), std::string::npos);
  EXPECT_NE(failure(replied("yes", {{"yes", std::nan("")}})).find("log-probability"), std::string::npos);
  EXPECT_NE(failure(replied("yes", {{"yes", 3.0}})).find("log-probability"), std::string::npos);
}

TEST(YesNoAnswer, TakesTheFirstTokenOnly) {
  ChatResult result = replied("yes no", {{"yes", std::log(0.8)}, {"no", std::log(0.2)}});
  result.reply->tokens.push_back({" no", 0, {{"no", 0}}});
  EXPECT_NEAR(yes_no_answer(result).yes.value(), 0.8, 1e-12);
  EXPECT_EQ(yes_no_answer(replied("no", {{"no", -std::numeric_limits<double>::infinity()}})).yes.value(), 0);
}

TEST(YesNoRecord, KeepsWhatTheJudgeSaid) {
  const ChatResult result = replied("\xFFyes", {{"yes", -0.5}, {"no", -1.0}});
  const auto record = nlohmann::json::parse(yes_no_record("s1", "Is it?", result));
  EXPECT_EQ(record.at("id"), "s1");
  EXPECT_EQ(record.at("question"), "Is it?");
  EXPECT_EQ(record.at("text"), "\xEF\xBF\xBDyes");
  EXPECT_NEAR(record.at("v").get<double>(), *yes_no_answer(result).yes, 1e-12);
  EXPECT_EQ(record.at("top").at(1), nlohmann::json::parse(R"(["no", -1.0])"));
  const auto failure = nlohmann::json::parse(yes_no_record("s2", "Is it?", failed_request("down")));
  EXPECT_EQ(failure.at("failure"), "down");
  EXPECT_FALSE(failure.contains("v"));
}

}  // namespace
}  // namespace diptych
