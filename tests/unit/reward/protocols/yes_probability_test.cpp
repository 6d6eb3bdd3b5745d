#include "diptych/reward/protocols/yes_probability.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>

#include "unit/reward/fake_judge.h"

namespace diptych {
namespace {

TEST(YesProbability, SumsEveryFormOfYesAndNo) {
  const auto v = yes_probability({{"Yes", std::log(0.2)}, {" yes.", std::log(0.1)}, {"NO", std::log(0.1)}}, "Yes");
  EXPECT_NEAR(v.value(), 0.75, 1e-15);
  EXPECT_EQ(yes_probability({{"\xC2\xA0yes", -1}, {"maybe", -0.1}}, "no"), 1);
  EXPECT_EQ(yes_probability({{"\xFFyes", -1}, {"no", -2}}, "yes"), 0);
}

TEST(YesProbability, FallsBackOnTheTextIfNeitherIsListed) {
  EXPECT_EQ(yes_probability({{"The", -0.1}}, " YES! "), 1);
  EXPECT_EQ(yes_probability({{"The", -0.1}}, "No."), 0);
  EXPECT_FALSE(yes_probability({{"The", -0.1}}, "The image"));
  EXPECT_FALSE(yes_probability({}, ""));
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

using Alternatives = std::vector<std::pair<std::string, double>>;

/** A reply of these tokens, each likely but for the one with the alternatives. */
ChatResult spelled(const std::vector<std::string>& tokens, size_t answer, const Alternatives& top) {
  ChatResult result = replied("");
  for (size_t i = 0; i < tokens.size(); ++i) {
    result.reply->text += tokens[i];
    const Alternatives plain = {{tokens[i], std::log(0.9)}, {"x", std::log(0.05)}};
    result.reply->tokens.push_back(
        {tokens[i], i == answer ? top.front().second : plain.front().second, i == answer ? top : plain});
  }
  return result;
}

TEST(YesNoAnswer, ReadsTheFirstWordBehindMarkupAndAnnouncements) {
  const std::vector<std::vector<std::string>> replies = {{"**", "Yes", "**"},
                                                         {"\"", "Yes", "\""},
                                                         {"\n", "yes"},
                                                         {"- ", "yes"},
                                                         {"Answer: ", "yes"},
                                                         {"**Answer:** ", "yes", "."},
                                                         {"The answer is ", "yes", ", there are three"},
                                                         {"\\boxed{", "yes", "}"},
                                                         {"```json\n{\"answer\": \"", "yes", "\"}\n```"},
                                                         {"答案：", "yes"}};
  for (const std::vector<std::string>& tokens : replies) {
    const YesNoAnswer answer =
        yes_no_answer(spelled(tokens, 1, {{tokens[1], std::log(0.6)}, {"No", std::log(0.2)}, {"The", std::log(0.1)}}));
    ASSERT_TRUE(answer.yes) << tokens[0] << ": " << answer.failure;
    EXPECT_NEAR(*answer.yes, 0.75, 1e-12) << tokens[0];
    EXPECT_NEAR(answer.coverage, 0.8, 1e-12) << tokens[0];
    EXPECT_EQ(answer.token, 1u);
  }
}

TEST(YesNoAnswer, ReadsAlternativesWithinMarkupAndInOtherScripts) {
  const std::vector<std::pair<std::string, std::string>> pairs = {{"**Yes", "**No"},  {"\"yes\"", "\"no\""},
                                                                  {"ｙｅｓ", "ｎｏ"}, {"是", "否"},
                                                                  {"はい", "いいえ"}, {"(yes)", "(no)"}};
  for (const auto& [yes, no] : pairs) {
    const YesNoAnswer said_yes = yes_no_answer(replied(yes, {{yes, std::log(0.6)}, {no, std::log(0.2)}}));
    ASSERT_TRUE(said_yes.yes) << yes << ": " << said_yes.failure;
    EXPECT_NEAR(*said_yes.yes, 0.75, 1e-12) << yes;
    const YesNoAnswer said_no = yes_no_answer(replied(no, {{no, std::log(0.6)}, {yes, std::log(0.2)}}));
    EXPECT_NEAR(said_no.yes.value_or(-1), 0.25, 1e-12) << no;
  }
  // A leftover that reads no is not the answer of a judge that writes `**Yes`.
  const YesNoAnswer bold =
      yes_no_answer(replied("**Yes", {{"**Yes", std::log(0.9)}, {"**No", std::log(0.05)}, {"No", std::log(0.01)}}));
  EXPECT_NEAR(bold.yes.value(), 0.9 / 0.96, 1e-12);
}

TEST(YesNoAnswer, WhatIsNoJudgementIsNoNumber) {
  for (const char* text :
       {"Thinking Process:\n1. The picture shows", "I'm sorry, I can't help with that.", "There are three", "maybe", "",
        "**", "The result is no different", "Answer: yes/no", "Answer: yes or no", "8", "yesterday", "none"}) {
    ChatResult result = replied(text, {{text, std::log(0.9)}, {"yes", std::log(0.001)}});
    const YesNoAnswer answer = yes_no_answer(result);
    EXPECT_FALSE(answer.yes) << text;
    EXPECT_NE(answer.failure.find("neither yes nor no"), std::string::npos) << answer.failure;
    result.reply->finish_reason = "length";
    EXPECT_NE(yes_no_answer(result).failure.find("cut off before a yes or no"), std::string::npos);
  }
  EXPECT_NE(yes_no_answer(replied("hm</think>yes", {{"hm", -0.1}})).failure.find("thinks"), std::string::npos);
  // The text tells the verdict, the token list does not tell how sure it is.
  const YesNoAnswer hidden = yes_no_answer(spelled({"**"}, 0, {{"**", std::log(0.9)}, {"The", std::log(0.05)}}));
  EXPECT_FALSE(hidden.yes);
  ChatResult hole = spelled({"**", "Yes"}, 0, {{"**", std::log(0.9)}});
  hole.reply->tokens[1].top.clear();
  EXPECT_NE(yes_no_answer(hole).failure.find("log-probabilities do not show"), std::string::npos);
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
