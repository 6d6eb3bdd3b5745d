#include "diptych/tensor/torch.h"

#include "diptych/serve/chat_request.h"

#include <gtest/gtest.h>

#include "diptych/io/base64.h"
#include "diptych/serve/api_error.h"
#include "diptych/serve/json_fields.h"

namespace diptych {
namespace {

ServeSettings settings() {
  ServeSettings settings;
  settings.max_tokens = 100;
  settings.max_choices = 4;
  settings.max_image_pixels = 64;
  return settings;
}

std::string data_uri(const Image& image, const std::string& type = "data:image/png;base64,") {
  return type + base64_encode(encode_png(image));
}

Image grey(int side) {
  return {side, side, std::vector<uint8_t>(static_cast<size_t>(side) * static_cast<size_t>(side) * 3, 128)};
}

ChatCall parse(const std::string& body) {
  return parse_chat(body, settings());
}

ChatCall parse_with(const std::string& fields) {
  return parse(R"({"messages":[{"role":"user","content":"hi"}],)" + fields + "}");
}

/** The body is refused with status 400, naming the field. */
void expect_refused(const std::string& body, const std::string& param) {
  try {
    parse(body);
    ADD_FAILURE() << "accepted: " << body.substr(0, 200);
  } catch (const ApiError& error) {
    EXPECT_EQ(error.status, 400);
    EXPECT_EQ(error.type, "invalid_request_error");
    EXPECT_EQ(error.param, param) << error.what();
  }
}

void expect_field_refused(const std::string& fields, const std::string& param) {
  expect_refused(R"({"messages":[{"role":"user","content":"hi"}],)" + fields + "}", param);
}

void expect_content_refused(const std::string& content, const std::string& param) {
  expect_refused(R"({"messages":[{"role":"user","content":)" + content + "}]}", param);
}

TEST(ChatRequestTest, PartsFollowEachOtherWithoutRoles) {
  const nlohmann::json body{
      {"messages",
       {{{"role", "system"}, {"content", {{{"type", "text"}, {"text", "judge"}}}}},
        {{"role", "user"},
         {"content",
          {{{"type", "image_url"}, {"image_url", {{"url", data_uri(grey(4))}, {"detail", "low"}}}},
           {{"type", "text"}, {"text", "is it red?"}}}}},
        {{"role", "assistant"}, {"content", nullptr}},
        {{"role", "assistant"}, {"content", ""}},
        {{"role", "user"}, {"content", "sure?"}}}}};
  const Job job = parse(body.dump()).job;
  ASSERT_EQ(job.context.size(), 4U);
  EXPECT_EQ(job.context[0].text, "judge");
  ASSERT_TRUE(job.context[1].image);
  EXPECT_EQ(job.context[1].image->pixels, grey(4).pixels);
  EXPECT_EQ(job.context[2].text, "is it red?");
  EXPECT_EQ(job.context[3].text, "sure?");
}

TEST(ChatRequestTest, UriMayStandAloneAndLackItsSubtype) {
  for (const char* type : {"data:image/png;base64,", "data:image/jpeg;base64,", "data:image;base64,", "data:;base64,",
                           "DATA:image/jpg;charset=utf-8;BASE64,%0A"}) {
    const nlohmann::json body{
        {"messages",
         {{{"role", "user"}, {"content", {{{"type", "image_url"}, {"image_url", data_uri(grey(2), type)}}}}}}}};
    EXPECT_EQ(parse(body.dump()).job.context[0].image->pixels, grey(2).pixels);
  }
}

TEST(ChatRequestTest, DefaultsAreOpenAis) {
  const ChatCall call = parse(R"({"messages":[{"role":"user","content":"hi"}]})");
  EXPECT_FALSE(call.stream);
  EXPECT_EQ(call.job.count, 1);
  EXPECT_EQ(call.job.text->sampling.temperature, 1);
  EXPECT_EQ(call.job.text->sampling.top_p, 1);
  EXPECT_EQ(call.job.text->sampling.top_k, 0);
  EXPECT_EQ(call.job.text->sampling.max_tokens, 100);
  EXPECT_FALSE(call.job.text->logprobs);
  EXPECT_FALSE(call.job.paint);
}

TEST(ChatRequestTest, FieldsAreRead) {
  const ChatCall call = parse_with(
      R"("temperature":0,"top_p":0.5,"top_k":-1,"max_tokens":3,"n":2,"seed":-7,"stop":["a","b"],"logprobs":true,)"
      R"("top_logprobs":20,"stream":true,"stream_options":{"include_usage":true},"chat_template_kwargs":{"x":1},)"
      R"("unknown":[],"user":null)");
  EXPECT_TRUE(call.stream);
  EXPECT_TRUE(call.include_usage);
  EXPECT_EQ(call.job.count, 2);
  EXPECT_EQ(call.job.seed, static_cast<uint64_t>(-7));
  const TextStage& text = *call.job.text;
  EXPECT_EQ(text.sampling.temperature, 0);
  EXPECT_EQ(text.sampling.top_p, 0.5);
  EXPECT_EQ(text.sampling.top_k, 0);
  EXPECT_EQ(text.sampling.max_tokens, 3);
  EXPECT_EQ(text.stops, (std::vector<std::string>{"a", "b"}));
  EXPECT_TRUE(text.logprobs);
  EXPECT_EQ(text.top_logprobs, 20);
  EXPECT_EQ(parse_with(R"("max_completion_tokens":5,"max_tokens":3)").job.text->sampling.max_tokens, 5);
  EXPECT_EQ(parse_with(R"("stop":"x")").job.text->stops, std::vector<std::string>{"x"});
  EXPECT_EQ(parse_with(R"("seed":18446744073709551615)").job.seed, UINT64_MAX);
}

TEST(ChatRequestTest, WrongFieldsAreNamed) {
  expect_field_refused(R"("temperature":"hot")", "temperature");
  expect_field_refused(R"("temperature":-1)", "temperature");
  expect_field_refused(R"("top_p":1.5)", "top_p");
  expect_field_refused(R"("max_tokens":0)", "max_tokens");
  expect_field_refused(R"("max_tokens":101)", "max_tokens");
  expect_field_refused(R"("max_tokens":1.5)", "max_tokens");
  expect_field_refused(R"("max_tokens":18446744073709551615)", "max_tokens");
  expect_field_refused(R"("n":5)", "n");
  expect_field_refused(R"("n":[])", "n");
  expect_field_refused(R"("seed":1.5)", "seed");
  expect_field_refused(R"("stream":"yes")", "stream");
  expect_field_refused(R"("stream_options":3)", "stream_options");
  expect_field_refused(R"("logprobs":3)", "logprobs");
  expect_field_refused(R"("logprobs":true,"top_logprobs":21)", "top_logprobs");
  expect_field_refused(R"("top_logprobs":2)", "top_logprobs");
  expect_field_refused(R"("stop":[1])", "stop");
  expect_field_refused(R"("stop":"")", "stop");
}

TEST(ChatRequestTest, WrongMessagesAreNamed) {
  expect_refused("{}", "messages");
  expect_refused(R"({"messages":[]})", "messages");
  expect_refused(R"({"messages":"hi"})", "messages");
  expect_refused(R"({"messages":[{"role":"user","content":""}]})", "messages");
  expect_refused(R"({"messages":["hi"]})", "messages[0]");
  expect_refused(R"({"messages":[{"role":"tool","content":"x"}]})", "messages[0].role");
  expect_content_refused("3", "messages[0].content");
  expect_content_refused("[3]", "messages[0].content[0]");
  expect_content_refused(R"([{"type":"text"}])", "messages[0].content[0].text");
  expect_content_refused(R"([{"type":"audio"}])", "messages[0].content[0].type");
  expect_content_refused(R"([{"type":"image_url"}])", "messages[0].content[0].image_url");
  expect_content_refused(R"([{"type":"image_url","image_url":{"url":3}}])", "messages[0].content[0].image_url");
}

TEST(ChatRequestTest, BadImagesAreNamed) {
  const auto refuse = [](const std::string& uri) {
    expect_content_refused(R"([{"type":"image_url","image_url":{"url":")" + uri + R"("}}])",
                           "messages[0].content[0].image_url");
  };
  refuse("https://example.org/a.png");
  refuse("file:///etc/passwd");
  refuse("data:image/png,abc");
  refuse("data:image/png;base64,");
  refuse("data:image/png;base64,&&&&");
  refuse("data:image/png;base64,AAAA");
  std::string damaged = data_uri(grey(4));
  refuse(damaged.substr(0, damaged.size() / 2));
  refuse(data_uri(grey(9)));  // 81 pixels of at most 64
}

TEST(ChatRequestTest, BodiesThatAreNoObjectsAreRefused) {
  for (const char* body : {"", "{", "[]", "nonsense", "{\"messages\":", "\xff\xfe", "null", "{\"a\":\"\xff\"}"})
    expect_refused(body, "");
  expect_refused(std::string(100000, '['), "");
  std::string many = "{\"a\":[0";
  for (int i = 0; i < 1'000'000; ++i) many += ",0";
  expect_refused(many + "]}", "");
}

}  // namespace
}  // namespace diptych
