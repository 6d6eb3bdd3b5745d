#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "diptych/io/base64.h"
#include "diptych/reward/chat/chat_image.h"
#include "diptych/reward/chat/chat_json.h"
#include "diptych/reward/judge/judge_request.h"
#include "support/expect_error.h"
#include "unit/reward/judge_fixture.h"

namespace diptych {
namespace {

using nlohmann::json;

TEST(ChatImage, DataUriHasTheRightSubtype) {
  const ChatPart jpeg = picture(10);
  const ChatPart png = picture(10, ImageEncoding::png);
  EXPECT_EQ(image_data_uri(jpeg), "data:image/jpeg;base64," + base64_encode(encode_jpeg(*jpeg.image, 95)));
  EXPECT_EQ(image_data_uri(png), "data:image/png;base64," + base64_encode(encode_png(*png.image)));
  ChatPart damaged = jpeg;
  damaged.image = shared_image({4, 6, std::vector<uint8_t>(71)});
  expect_error([&] { image_data_uri(damaged); }, ExitCode::data, {"6 x 4 with 71 bytes"});
}

TEST(ChatImage, DigestTellsApartWhatTravelsDifferently) {
  ChatPart coarse = picture(10);
  coarse.jpeg_quality = 75;
  ChatPart turned = picture(10);
  turned.image = shared_image({6, 4, turned.image->pixels});
  const std::vector<ChatPart> parts = {picture(10), picture(11), picture(10, ImageEncoding::png), coarse, turned};
  for (size_t a = 0; a < parts.size(); ++a)
    for (size_t b = 0; b < parts.size(); ++b) EXPECT_EQ(image_digest(parts[a]) == image_digest(parts[b]), a == b);
}

TEST(ChatBody, KeepsTheOrderOfParts) {
  ChatRequest request;
  request.messages = {{"system", {{.text = "be brief"}}},
                      {"user", {picture(1), {.text = "not a gap: \"url\":\"\""}, picture(2), {.text = "second"}}}};
  const std::vector<std::string_view> urls = {"url 1", "url 2"};
  EXPECT_EQ(json::parse(chat_messages(request, urls)), json::parse(R"([
      {"role": "system", "content": "be brief"},
      {"role": "user", "content": [
        {"type": "image_url", "image_url": {"url": "url 1"}}, {"type": "text", "text": "not a gap: \"url\":\"\""},
        {"type": "image_url", "image_url": {"url": "url 2"}}, {"type": "text", "text": "second"}]}])"));
}

TEST(ChatBody, SendsEveryParameter) {
  ChatRequest request;
  request.temperature = 0.5;
  request.top_p = 0.9;
  request.max_tokens = 12;
  request.seed = 3;
  json expected = {{"temperature", 0.5}, {"top_p", 0.9}, {"max_tokens", 12}, {"seed", 3}};
  EXPECT_EQ(chat_parameters(request), expected);
  request.top_logprobs = 20;
  expected.update({{"logprobs", true}, {"top_logprobs", 20}});
  EXPECT_EQ(chat_parameters(request), expected);
}

TEST(JudgeRequest, ExtraFieldsAreMergedAndNullRemoves) {
  JudgeConfig config = quick_config({"http://127.0.0.1:1/v1"});
  config.extra_body = R"({"top_k": 1, "seed": null, "chat_template_kwargs": {"other": 2}})";
  const JudgeRequestWriter writer(config);
  const HttpRequest http = writer.write("http://127.0.0.1:1/v1", question("a\xff"), {});
  EXPECT_EQ(http.url, "http://127.0.0.1:1/v1/chat/completions");
  const json body = json::parse(http.body);
  EXPECT_EQ(body["model"], "test-model");
  EXPECT_EQ(body["top_k"], 1);
  EXPECT_FALSE(body.contains("seed"));
  EXPECT_EQ(body["chat_template_kwargs"], (json{{"enable_thinking", false}, {"other", 2}}));
  EXPECT_EQ(body["messages"][0]["content"], "a\xef\xbf\xbd");
  config.disable_thinking = false;
  config.extra_body = "";
  const json plain = json::parse(JudgeRequestWriter(config).write("http://x", question("q"), {}).body);
  EXPECT_FALSE(plain.contains("chat_template_kwargs"));
}

ChatParse parse(const json& value, int top_logprobs = 5) {
  return parse_chat_reply(value.dump(), top_logprobs);
}

json& choice(json& value) {
  return value["choices"][0];
}

TEST(ChatReply, ReadsEverything) {
  const ChatParse parsed = parse(completion("Yes"));
  ASSERT_TRUE(parsed.reply) << parsed.failure_text;
  const ChatReply& reply = *parsed.reply;
  EXPECT_EQ(reply.text, "Yes");
  EXPECT_EQ(reply.reasoning, "");
  EXPECT_EQ(reply.finish_reason, "stop");
  EXPECT_EQ(reply.prompt_tokens, 20);
  EXPECT_EQ(reply.completion_tokens, 1);
  ASSERT_EQ(reply.tokens.size(), 1u);
  EXPECT_EQ(reply.tokens[0].token, "Yes");
  EXPECT_EQ(reply.tokens[0].logprob, -0.25);
  EXPECT_EQ(reply.tokens[0].top, (std::vector<std::pair<std::string, double>>{{"Yes", -0.25}, {"No", -1.5}}));
  EXPECT_TRUE(parse(completion("Yes"), 0).reply->tokens.empty());
}

TEST(ChatReply, ContentInAllItsForms) {
  json value = completion();
  choice(value)["message"]["content"] = {{{"type", "text"}, {"text", "Y"}}, "es", {{"type", "other"}}};
  EXPECT_EQ(parse(value).reply->text, "Yes");
  choice(value)["message"] = {{"content", nullptr}, {"reasoning_content", "let me see"}};
  EXPECT_EQ(parse(value).reply->reasoning, "let me see");
  EXPECT_EQ(parse(value).reply->text, "");
  choice(value)["message"] = {{"content", "Yes"}, {"reasoning_content", "\n\n"}, {"reasoning", nullptr}};
  EXPECT_EQ(parse(value).reply->reasoning, "");
  choice(value)["message"] = {{"content", nullptr}};
  EXPECT_EQ(parse(value).failure, ChatFailure::malformed);
  choice(value)["message"] = {{"content", 7}};
  EXPECT_EQ(parse(value).failure, ChatFailure::malformed);
}

TEST(ChatReply, TokenIsAddedToAlternativesThatLackIt) {
  json value = completion();
  choice(value)["logprobs"]["content"][0]["token"] = "Maybe";
  EXPECT_EQ(parse(value).reply->tokens[0].top.back(), (std::pair<std::string, double>{"Maybe", -0.25}));
}

TEST(ChatReply, MissingLogProbabilitiesAreAFailure) {
  const auto failure = [](const json& logprobs) {
    json value = completion();
    choice(value)["logprobs"] = logprobs;
    EXPECT_TRUE(parse(value, 0).reply) << "not asked for";
    return parse(value).failure;
  };
  EXPECT_EQ(failure(nullptr), ChatFailure::no_logprobs);
  EXPECT_EQ(failure(json::object()), ChatFailure::no_logprobs);
  EXPECT_EQ(failure({{"content", nullptr}}), ChatFailure::no_logprobs);
  EXPECT_EQ(failure({{"content", json::array()}}), ChatFailure::no_logprobs);
  const json bare = {{"token", "Yes"}, {"logprob", -0.1}};
  EXPECT_EQ(failure({{"content", {bare}}}), ChatFailure::no_logprobs);
  json empty = bare;
  empty["top_logprobs"] = json::array();
  EXPECT_EQ(failure({{"content", {empty}}}), ChatFailure::no_logprobs);
}

TEST(ChatReply, OnlyTheFirstTokenMustBeWhole) {
  for (const char* later :
       {R"({"token": "<|im_end|>", "logprob": -0.01, "top_logprobs": []})",
        R"({"token": "<|im_end|>", "logprob": -0.01, "top_logprobs": null})",
        R"({"token": "<|im_end|>", "logprob": -0.01})", R"({"token": "", "logprob": -0.01, "top_logprobs": []})",
        R"({"token": "<|im_end|>", "top_logprobs": [{"token": "a", "logprob": -1}]})", R"({"logprob": -1})", "null",
        R"({"token": "x", "logprob": 3, "top_logprobs": [{"token": "x", "logprob": 3}]})"}) {
    json value = completion();
    choice(value)["logprobs"]["content"].push_back(json::parse(later));
    const ChatParse parsed = parse(value);
    ASSERT_TRUE(parsed.reply) << later << ": " << parsed.failure_text;
    EXPECT_EQ(parsed.reply->tokens.size(), 2u);
    EXPECT_TRUE(parsed.reply->tokens[1].top.empty()) << later;
  }
}

TEST(ChatReply, ADeclinedRequestIsNoBrokenReply) {
  const auto failure = [](const json& message, const json& finish_reason) {
    json value = completion();
    choice(value)["message"] = message;
    choice(value)["finish_reason"] = finish_reason;
    choice(value).erase("logprobs");
    return parse(value).failure;
  };
  EXPECT_EQ(failure({{"content", nullptr}, {"refusal", "no"}}, "stop"), ChatFailure::declined);
  EXPECT_EQ(failure({{"content", nullptr}}, "content_filter"), ChatFailure::declined);
  EXPECT_EQ(failure({{"content", "I"}}, "content_filter"), ChatFailure::declined);
  EXPECT_EQ(failure({{"content", nullptr}}, "refusal"), ChatFailure::declined);
  EXPECT_EQ(failure({{"content", nullptr}}, "PROHIBITED_CONTENT"), ChatFailure::declined);
  EXPECT_EQ(failure(nullptr, "content_filter"), ChatFailure::declined);
  EXPECT_EQ(failure({{"content", {{{"type", "refusal"}, {"refusal", "no"}}}}}, "stop"), ChatFailure::declined);
  EXPECT_EQ(failure({{"content", nullptr}}, "stop"), ChatFailure::malformed);
  EXPECT_EQ(failure({{"content", nullptr}, {"refusal", nullptr}}, "stop"), ChatFailure::malformed);
}

TEST(ChatReply, ErrorsTellByTheirCodeWhetherWaitingHelps) {
  const auto kind = [](const char* body) { return failure_of_error_body(body); };
  EXPECT_EQ(kind(R"({"error": {"message": "m", "type": "insufficient_quota", "code": "insufficient_quota"}})"),
            ChatFailure::no_quota);
  EXPECT_EQ(kind(R"({"error": {"type": "exceeded_current_quota_error"}})"), ChatFailure::no_quota);
  EXPECT_EQ(kind(R"({"object": "error", "type": "insufficient_quota"})"), ChatFailure::no_quota);
  EXPECT_EQ(kind(R"({"error": {"code": "content_filter", "innererror": {"code": "x"}}})"), ChatFailure::declined);
  EXPECT_EQ(kind(R"({"error": {"innererror": {"code": "ResponsibleAIPolicyViolation"}}})"), ChatFailure::declined);
  EXPECT_EQ(kind(R"([{"error": {"code": 429, "message": "You exceeded your current quota, please check your plan",
                      "status": "RESOURCE_EXHAUSTED"}}])"),
            std::nullopt)
      << "a limit per minute in the words of an empty account";
  for (const char* body : {"", "null", "[]", "7", R"({"error": "x"})", R"({"error": {"code": "rate_limit_exceeded"}})"})
    EXPECT_EQ(kind(body), std::nullopt) << body;
}

TEST(ChatReply, ImpossibleLogProbabilitiesAreAFailure) {
  const auto failure = [](const json& logprob) {
    json value = completion();
    choice(value)["logprobs"]["content"][0]["top_logprobs"][1]["logprob"] = logprob;
    const ChatParse parsed = parse(value);
    return parsed.reply ? ChatFailure::stopped : parsed.failure;
  };
  EXPECT_EQ(failure(nullptr), ChatFailure::bad_logprobs);
  EXPECT_EQ(failure("-1"), ChatFailure::bad_logprobs);
  EXPECT_EQ(failure(0.5), ChatFailure::bad_logprobs);
  EXPECT_EQ(failure(-9999.0), ChatFailure::stopped) << "vLLM's minus infinity is sound";
  json value = completion();
  choice(value)["logprobs"]["content"][0]["logprob"] = 1e-7;
  EXPECT_EQ(parse(value).reply->tokens[0].logprob, 0) << "servers round";
}

TEST(ChatReply, BrokenJsonIsAFailureWhereverItBreaks) {
  const std::string whole = completion().dump();
  for (size_t length = 0; length < whole.size(); ++length)
    EXPECT_EQ(parse_chat_reply(whole.substr(0, length), 5).failure, ChatFailure::malformed) << length;
  std::string nan = whole;
  nan.replace(nan.find("-0.25"), 5, "NaN");
  EXPECT_EQ(parse_chat_reply(nan, 5).failure, ChatFailure::malformed);
  for (const char* text : {"null", "[]", "7", "{}", R"({"choices":[]})", R"({"choices":[7]})", R"({"choices":{}})"})
    EXPECT_EQ(parse_chat_reply(text, 5).failure, ChatFailure::malformed) << text;
  EXPECT_NE(parse_chat_reply("<html>\x01 oops", 5).failure_text.find("<html>  oops"), std::string::npos);
}

TEST(ChatReply, JsonRoundTrip) {
  const ChatReply reply = *parse(completion()).reply;
  const ChatReply again = chat_reply_from_json(json::parse(chat_reply_to_json(reply).dump()));
  EXPECT_EQ(chat_reply_to_json(again), chat_reply_to_json(reply));
}

}  // namespace
}  // namespace diptych
