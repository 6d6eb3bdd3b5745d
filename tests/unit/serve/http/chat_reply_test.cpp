#include "diptych/serve/http/chat_reply.h"

#include <gtest/gtest.h>

#include <cmath>

namespace diptych {
namespace {

const ReplyHead kHead{"id-1", 7, "tiny"};

std::vector<JobEvent> two_texts() {
  return {JobStarted{10, 4},
          TextAdded{1, "no", TokenScore{"no", -0.5, {{"no", -0.5}, {"\xff", -INFINITY}}}},
          TextAdded{0, "", TokenScore{"\xe2", -1.5, {}}},
          TextAdded{0, "€", TokenScore{"\x82\xac", -2.5, {}}},
          TextDone{1, "!", "stop", 2},
          TextDone{0, "", "length", 2}};
}

TEST(ChatCompletionTest, HasTheFormOfOpenAi) {
  ChatCompletion reply(kHead, 2, /*logprobs=*/true);
  for (const JobEvent& event : two_texts()) {
    EXPECT_FALSE(reply.complete());
    reply.add(event);
  }
  EXPECT_TRUE(reply.complete());
  const nlohmann::json body = nlohmann::json::parse(reply.body());
  EXPECT_EQ(body["object"], "chat.completion");
  EXPECT_EQ(body["id"], "id-1");
  EXPECT_EQ(body["model"], "tiny");
  EXPECT_EQ(body["usage"]["prompt_tokens"], 10);
  EXPECT_EQ(body["usage"]["completion_tokens"], 4);
  EXPECT_EQ(body["usage"]["total_tokens"], 14);
  EXPECT_EQ(body["usage"]["prompt_tokens_details"]["cached_tokens"], 4);
  ASSERT_EQ(body["choices"].size(), 2U);
  EXPECT_EQ(body["choices"][0]["message"]["content"], "€");
  EXPECT_EQ(body["choices"][0]["finish_reason"], "length");
  EXPECT_EQ(body["choices"][0]["logprobs"]["content"][1]["bytes"], nlohmann::json({0x82, 0xac}));
  EXPECT_EQ(body["choices"][1]["message"]["content"], "no!");
  EXPECT_EQ(body["choices"][1]["finish_reason"], "stop");
  const nlohmann::json& score = body["choices"][1]["logprobs"]["content"][0];
  EXPECT_EQ(score["token"], "no");
  EXPECT_EQ(score["logprob"], -0.5);
  EXPECT_EQ(score["top_logprobs"][1]["token"], "\xef\xbf\xbd");
  EXPECT_EQ(score["top_logprobs"][1]["logprob"], -9999.0);
}

TEST(ChatCompletionTest, WithoutLogprobsThereAreNone) {
  ChatCompletion reply(kHead, 1, /*logprobs=*/false);
  reply.add(TextDone{0, "hi", "stop", 1});
  EXPECT_TRUE(nlohmann::json::parse(reply.body())["choices"][0]["logprobs"].is_null());
}

TEST(ChatCompletionTest, AFailureIsThrown) {
  ChatCompletion reply(kHead, 1, false);
  EXPECT_THROW(reply.add(JobFailed{ApiError(504, "server_error", "late")}), ApiError);
}

TEST(ChatStreamTest, PiecesAreEventsThatMakeUpTheText) {
  ChatStream stream(kHead, 2, /*include_usage=*/true);
  std::string all;
  for (const JobEvent& event : two_texts()) all += stream.add(event);
  EXPECT_TRUE(stream.complete());
  all += stream.end();
  std::vector<std::string> texts(2);
  std::vector<nlohmann::json> chunks;
  size_t tokens = 0;
  ASSERT_TRUE(all.ends_with("data: [DONE]\n\n"));
  for (size_t begin = 0; begin < all.size();) {
    const size_t end = all.find("\n\n", begin);
    ASSERT_EQ(all.substr(begin, 6), "data: ");
    const std::string data = all.substr(begin + 6, end - begin - 6);
    begin = end + 2;
    if (data == "[DONE]") continue;
    chunks.push_back(nlohmann::json::parse(data));
    EXPECT_EQ(chunks.back()["object"], "chat.completion.chunk");
    for (const nlohmann::json& choice : chunks.back()["choices"]) {
      texts[choice["index"].get<size_t>()] += choice["delta"].value("content", "");
      if (choice["logprobs"].is_object()) tokens += choice["logprobs"]["content"].size();
    }
  }
  EXPECT_EQ(texts, (std::vector<std::string>{"€", "no!"}));
  EXPECT_EQ(tokens, 3U);
  EXPECT_EQ(chunks.front()["choices"][0]["delta"]["role"], "assistant");
  EXPECT_TRUE(chunks.back()["choices"].empty());
  EXPECT_EQ(chunks.back()["usage"]["total_tokens"], 14);
}

TEST(ApiErrorTest, HasTheFormOfOpenAi) {
  const nlohmann::json body = nlohmann::json::parse(error_json(invalid_request("no \xff", "n")));
  EXPECT_EQ(body["error"]["type"], "invalid_request_error");
  EXPECT_EQ(body["error"]["param"], "n");
  EXPECT_TRUE(body["error"]["code"].is_null());
  EXPECT_EQ(body["error"]["message"], "no \xef\xbf\xbd");
}

}  // namespace
}  // namespace diptych
