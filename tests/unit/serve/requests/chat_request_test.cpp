#include "diptych/tensor/torch.h"

#include "diptych/serve/requests/chat_request.h"

#include <gtest/gtest.h>

#include "diptych/io/base64.h"
#include "diptych/serve/api_error.h"
#include "diptych/serve/requests/json_fields.h"

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
  expect_field_refused(R"("max_tokens":1.5)", "max_tokens");
  expect_field_refused(R"("max_tokens":-2)", "max_tokens");
  expect_field_refused(R"("max_tokens":1e300,"max_completion_tokens":0)", "max_completion_tokens");
  expect_field_refused(R"("max_tokens":true)", "max_tokens");
  expect_field_refused(R"("n":1.5)", "n");
  expect_field_refused(R"("n":1e300)", "n");
  expect_field_refused(R"("n":5)", "n");
  expect_field_refused(R"("n":[])", "n");
  expect_field_refused(R"("seed":1.5)", "seed");
  expect_field_refused(R"("stream":"yes")", "stream");
  expect_field_refused(R"("stream_options":3)", "stream_options");
  expect_field_refused(R"("logprobs":3)", "logprobs");
  expect_field_refused(R"("logprobs":true,"top_logprobs":21)", "top_logprobs");
  expect_field_refused(R"("top_logprobs":2)", "top_logprobs");
  expect_field_refused(R"("stop":[1])", "stop");
  expect_field_refused(R"("stop":[""])", "stop");
  expect_field_refused(R"("seed":18446744073709551616)", "seed");
}

TEST(ChatRequestTest, NumbersWithoutAFractionAreIntegers) {
  const ChatCall call =
      parse_with(R"("max_tokens":51.0,"n":2.0,"seed":-7.0,"logprobs":true,"top_logprobs":5e0,"top_k":40.0)");
  EXPECT_EQ(call.job.text->sampling.max_tokens, 51);
  EXPECT_EQ(call.job.count, 2);
  EXPECT_EQ(call.job.seed, static_cast<uint64_t>(-7));
  EXPECT_EQ(call.job.text->top_logprobs, 5);
  EXPECT_EQ(call.job.text->sampling.top_k, 40);
  EXPECT_EQ(parse_with(R"("seed":9007199254740992.0)").job.seed, uint64_t{1} << 53);
}

TEST(ChatRequestTest, LargeMaxTokensBecomesTheServers) {
  for (const char* most : {"32000", "101", "1e300", "18446744073709551615", "4294967296.0", "-1", "-1.0", "null"})
    EXPECT_EQ(parse_with(R"("max_tokens":)" + std::string(most)).job.text->sampling.max_tokens, 100) << most;
  EXPECT_EQ(parse_with(R"("max_completion_tokens":-1,"max_tokens":7)").job.text->sampling.max_tokens, 7);
}

TEST(ChatRequestTest, EmptyValuesAskForNothing) {
  const ChatCall call = parse_with(
      R"("stop":"","seed":null,"n":null,"temperature":null,"top_p":null,"top_k":-1,"stream":null,"stream_options":null,)"
      R"("logprobs":null,"top_logprobs":null)");
  EXPECT_TRUE(call.job.text->stops.empty());
  EXPECT_EQ(call.job.text->sampling.temperature, 1);
  EXPECT_TRUE(parse_with(R"("stop":[])").job.text->stops.empty());
  EXPECT_NE(parse_with(R"("seed":-1)").job.seed, parse_with(R"("seed":-1)").job.seed);
}

TEST(ChatRequestTest, FieldsThatWouldChangeTheAnswerAreRefused) {
  const auto refuse = [](const std::string& fields, const std::string& param) {
    expect_field_refused(fields, param);
    try {
      parse_with(fields);
    } catch (const ApiError& error) {
      EXPECT_EQ(error.code, "unsupported");
    }
  };
  refuse(R"("response_format":{"type":"json_object"})", "response_format");
  refuse(R"("response_format":{"type":"json_schema","json_schema":{"name":"x","schema":{}}})", "response_format");
  refuse(R"("logit_bias":{"5":100})", "logit_bias");
  refuse(R"("tools":[{"type":"function","function":{"name":"f"}}],"tool_choice":"required")", "tools");
  refuse(R"("tools":[{"type":"function","function":{"name":"f"}}])", "tools");
  refuse(R"("tool_choice":"required")", "tool_choice");
  refuse(R"("tool_choice":{"type":"function","function":{"name":"f"}})", "tool_choice");
  refuse(R"("functions":[{"name":"f"}])", "functions");
  refuse(R"("function_call":{"name":"f"})", "function_call");
  refuse(R"("frequency_penalty":0.5)", "frequency_penalty");
  refuse(R"("presence_penalty":-1)", "presence_penalty");
  refuse(R"("repetition_penalty":1.1)", "repetition_penalty");
  refuse(R"("min_p":0.05)", "min_p");
  refuse(R"("modalities":["text","audio"])", "modalities");
  refuse(R"("audio":{"voice":"alloy","format":"wav"})", "audio");
  refuse(R"("web_search_options":{"search_context_size":"low"})", "web_search_options");
  refuse(R"("guided_choice":["yes","no"])", "guided_choice");
  refuse(R"("structured_outputs":{"choice":["yes","no"]})", "structured_outputs");
  refuse(R"("stop_token_ids":[7])", "stop_token_ids");
  refuse(R"("ignore_eos":true)", "ignore_eos");
  expect_refused(R"({"messages":[{"role":"assistant","content":null,"tool_calls":[{"id":"1"}]}]})",
                 "messages[0].tool_calls");
}

TEST(ChatRequestTest, TheirDefaultsAreNot) {
  EXPECT_NO_THROW(parse_with(
      R"("response_format":{"type":"text"},"tools":[],"tool_choice":"none","functions":[],"function_call":"auto",)"
      R"("frequency_penalty":0,"presence_penalty":0.0,"repetition_penalty":1,"logit_bias":{},"modalities":["text"],)"
      R"("audio":null,"web_search_options":null,"min_p":0,"stop_token_ids":[],"guided_json":"","ignore_eos":false,)"
      R"("parallel_tool_calls":true,"store":true,"metadata":{"a":"b"},"user":"me","service_tier":"auto",)"
      R"("reasoning_effort":"low","best_of":1)"));
  EXPECT_NO_THROW(parse_with(R"("tool_choice":"auto","logit_bias":{"5":0},"response_format":null)"));
  EXPECT_NO_THROW(parse_with(R"("tools":[{"type":"function"}],"tool_choice":"none")"));
}

TEST(ChatRequestTest, ErrorsTellValueAndPlace) {
  const auto message = [](const std::string& body) {
    try {
      parse(body);
    } catch (const ApiError& error) {
      return std::string(error.what());
    }
    return std::string();
  };
  const auto mentions = [&](const std::string& body, const char* text) {
    EXPECT_NE(message(body).find(text), std::string::npos) << text << " in " << message(body).substr(0, 500);
    EXPECT_LT(message(body).size(), 500U);
  };
  const std::string hi = R"({"messages":[{"role":"user","content":"hi"}],)";
  mentions(hi + R"("seed":1.5})", "1.5");
  mentions(hi + R"("temperature":"hot"})", "\"hot\"");
  mentions(hi + R"("n":[)" + std::string(10000, ' ') + R"("a"]})", "[\"a\"]");
  mentions(hi + R"("n":")" + std::string(10000, 'x') + R"("})", "xxx...");
  mentions("{\n \"messages\": NaN}", "line 2, column 14");
  mentions(hi + R"("user":"\ud83d"})", "column 60");
  mentions(hi + R"("user":")" + std::string(10000, 'x') + "\xff\"}", "column 10054");
  mentions(R"({"messages":[{"role":"tool","content":"x"}]})", "tool");
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
