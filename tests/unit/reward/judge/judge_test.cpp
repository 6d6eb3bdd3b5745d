// The judge against servers that misbehave.

#include "diptych/reward/judge/judge.h"

#include <gtest/gtest.h>

#include <atomic>
#include <nlohmann/json.hpp>
#include <set>
#include <thread>

#include "diptych/io/files.h"
#include "support/expect_error.h"
#include "support/temporary_folder.h"
#include "unit/reward/judge_fixture.h"

namespace diptych {
namespace {

using nlohmann::json;

/** Misbehaves for the first `times` requests, then answers. */
MisbehavingServer::Handler at_first(int times, const ServerReply& bad) {
  return [times, bad](const SeenRequest& request) { return request.index < times ? bad : sound(); };
}

MisbehavingServer::Handler always(const ServerReply& reply) {
  return [reply](const SeenRequest&) { return reply; };
}

/** Answers with the text of the question. */
ServerReply echo(const SeenRequest& request) {
  return sound(json::parse(request.body)["messages"][0]["content"]);
}

TEST(Judge, AnswersInOrderWithManyUnderWay) {
  const MisbehavingServer server(echo);
  Judge judge(quick_config({server.url() + "/v1/"}));
  const std::vector<ChatResult> results = judge.ask(numbered_questions(50));
  ASSERT_EQ(results.size(), 50u);
  for (size_t i = 0; i < results.size(); ++i) {
    ASSERT_TRUE(results[i].reply) << results[i].failure;
    EXPECT_EQ(results[i].reply->text, "question " + std::to_string(i));
    EXPECT_EQ(results[i].failure, "");
  }
  EXPECT_LE(server.most_at_once(), 4);
  EXPECT_LE(server.connections(), 4);
  EXPECT_EQ(server.seen()[0].head.find("POST /v1/chat/completions HTTP/1.1\r\n"), 0u);
  EXPECT_TRUE(judge.ask({}).empty());
  const JudgeStatistics statistics = judge.statistics();
  EXPECT_EQ(statistics.requests, 50);
  EXPECT_EQ(statistics.answered, 50);
  EXPECT_EQ(statistics.sent, 50);
  EXPECT_EQ(statistics.retries, 0);
  EXPECT_EQ(statistics.prompt_tokens, 1000);
  EXPECT_GT(statistics.latency_p95, 0);
  EXPECT_GE(statistics.latency_p95, statistics.latency_p50);
}

TEST(Judge, UsesAllPlacesOfAllEndpoints) {
  MisbehavingServer one(always({.body = completion().dump(), .manner = Manner::hang}));
  MisbehavingServer two(always({.body = completion().dump(), .manner = Manner::hang}));
  Judge judge(quick_config({one.url(), two.url()}));
  std::vector<ChatResult> results;
  std::thread caller([&] { results = judge.ask(numbered_questions(20)); });
  one.wait_for(4);
  two.wait_for(4);
  one.release();
  two.release();
  caller.join();
  for (const ChatResult& result : results) EXPECT_TRUE(result.reply) << result.failure;
  EXPECT_EQ(one.most_at_once(), 4);
  EXPECT_EQ(two.most_at_once(), 4);
  EXPECT_EQ(one.count() + two.count(), 20);
}

TEST(Judge, CallsOfManyThreadsShareThePlaces) {
  const MisbehavingServer server(echo);
  Judge judge(quick_config({server.url()}));
  std::vector<std::thread> threads;
  std::atomic<int> right = 0;
  for (int thread = 0; thread < 4; ++thread)
    threads.emplace_back([&, thread] {
      const std::string text = "thread " + std::to_string(thread);
      for (const ChatResult& result : judge.ask(std::vector<ChatRequest>(10, question(text))))
        right += result.reply && result.reply->text == text ? 1 : 0;
    });
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(right, 40);
  EXPECT_LE(server.most_at_once(), 4);
}

TEST(Judge, EveryPassingFaultIsRetried) {
  const std::string whole = completion().dump();
  json without_logprobs = completion();
  without_logprobs["choices"][0]["logprobs"] = nullptr;
  std::string nan = whole;
  nan.replace(nan.find("-0.25"), 5, "NaN");
  struct Case {
    std::string kind;
    ServerReply reply;
  };
  const std::vector<Case> cases = {
      {"rate_limited", {.body = "{}", .status = 429}},
      {"server_error", {.body = "oops", .status = 500, .content_type = "text/plain"}},
      {"server_error", {.body = "", .status = 408}},
      {"server_error", {.body = R"({"error":{"message":"overloaded"}})"}},
      {"malformed", {.body = whole.substr(0, whole.size() / 2)}},
      {"malformed", {.body = nan}},
      {"malformed", {.body = whole, .content_type = "text/html"}},
      {"no_logprobs", {.body = without_logprobs.dump()}},
      {"connection", {.body = whole, .manner = Manner::cut_off}},
      {"connection", {.body = whole, .manner = Manner::reset}},
      {"timeout", {.body = whole + std::string(3000, ' '), .manner = Manner::drip}},
      {"too_large", {.body = std::string(5 << 20, ' ')}},
  };
  for (const Case& test : cases) {
    const MisbehavingServer server(at_first(2, test.reply));
    JudgeConfig config = quick_config({server.url()});
    if (test.reply.manner == Manner::drip) config.drip_seconds = 0.05;
    config.concurrency = 1;
    Judge judge(config);
    const std::vector<ChatResult> results = judge.ask({question("?")});
    EXPECT_TRUE(results[0].reply) << test.kind << ": " << results[0].failure;
    const JudgeStatistics statistics = judge.statistics();
    EXPECT_EQ(statistics.failures, (std::map<std::string, int64_t>{{test.kind, 2}})) << test.reply.status;
    EXPECT_EQ(statistics.sent, 3);
    EXPECT_EQ(statistics.retries, 2);
    EXPECT_EQ(statistics.answered, 1);
    EXPECT_EQ(statistics.failed, 0);
  }
}

TEST(Judge, ServerThatNeverRepliesCostsATimeoutPerTry) {
  MisbehavingServer server(always({.body = completion().dump(), .manner = Manner::hang}));
  JudgeConfig config = quick_config({server.url()});
  config.timeout_seconds = 0.02;
  config.retries = 2;
  Judge judge(config);
  const std::vector<ChatResult> results = judge.ask({question("?")});
  EXPECT_FALSE(results[0].reply);
  EXPECT_NE(results[0].failure.find(server.url()), std::string::npos) << results[0].failure;
  EXPECT_NE(results[0].failure.find("(3 tries)"), std::string::npos) << results[0].failure;
  EXPECT_EQ(judge.statistics().failures.at("timeout"), 3);
}

TEST(Judge, TriesAreBounded) {
  const MisbehavingServer server(always({.body = "{}", .status = 500}));
  JudgeConfig config = quick_config({server.url()});
  Judge judge(config);
  const std::vector<ChatResult> results = judge.ask(numbered_questions(7));
  for (const ChatResult& result : results) EXPECT_NE(result.failure.find("status 500"), std::string::npos);
  EXPECT_EQ(server.count(), 7 * 4);
  EXPECT_EQ(judge.statistics().failed, 7);
}

TEST(Judge, TimeIsBounded) {
  const MisbehavingServer server(always({.body = "{}", .status = 500}));
  JudgeConfig config = quick_config({server.url()});
  config.retries = 100;
  config.backoff_base_seconds = config.backoff_max_seconds = 3600;
  Judge judge(config);
  const std::vector<ChatResult> results = judge.ask({question("?")});
  EXPECT_FALSE(results[0].reply) << "the next try would come after give_up_seconds";
  EXPECT_EQ(server.count(), 1);
}

TEST(Judge, RefusalsAreFinal) {
  const MisbehavingServer server(always({.body = R"({"error":"no such model"})", .status = 404}));
  Judge judge(quick_config({server.url()}));
  const std::vector<ChatResult> results = judge.ask(numbered_questions(3));
  for (const ChatResult& result : results) {
    EXPECT_FALSE(result.reply);
    EXPECT_NE(result.failure.find("no such model"), std::string::npos) << result.failure;
    EXPECT_NE(result.failure.find("check the base URL"), std::string::npos) << result.failure;
  }
  EXPECT_EQ(server.count(), 3);
}

TEST(Judge, ADeclinedPictureAndAnEmptyAccountCostOneRequestEach) {
  const std::string quota =
      R"({"error": {"message": "m", "type": "insufficient_quota", "code": "insufficient_quota"}})";
  const std::vector<std::pair<std::string, ServerReply>> cases = {
      {"declined",
       {.body = R"({"choices": [{"message": {"content": null, "refusal": "no"}, "finish_reason": "stop"}]})"}},
      {"declined", {.body = R"({"choices": [{"message": {"content": null}, "finish_reason": "content_filter"}]})"}},
      {"declined", {.body = R"({"error": {"message": "m", "code": "content_filter"}})", .status = 400}},
      {"no_quota", {.body = quota, .status = 429}},
      {"no_quota", {.body = quota}},
      {"no_quota", {.body = "Insufficient Balance", .status = 402}},
  };
  for (const auto& [kind, reply] : cases) {
    const MisbehavingServer server(always(reply));
    JudgeConfig config = quick_config({server.url()});
    config.breaker_failures = 1;
    Judge judge(config);
    const std::vector<ChatResult> results = judge.ask({question("?")});
    EXPECT_NE(results[0].failure.find(kind == "declined" ? "declined" : "the account is empty"), std::string::npos)
        << results[0].failure;
    const JudgeStatistics statistics = judge.statistics();
    EXPECT_EQ(statistics.failures, (std::map<std::string, int64_t>{{kind, 1}}));
    EXPECT_EQ(statistics.sent, 1);
    EXPECT_FALSE(statistics.endpoints[0].is_resting);
  }
}

TEST(Judge, OneDeadEndpointOfThreeCostsNothing) {
  const MisbehavingServer one(always(sound()));
  const MisbehavingServer two(always(sound()));
  const std::string dead = dead_url();
  JudgeConfig config = quick_config({one.url(), dead, two.url()});
  config.breaker_failures = 3;
  config.breaker_rest_seconds = 3600;
  Judge judge(config);
  const std::vector<ChatResult> results = judge.ask(numbered_questions(60));
  for (const ChatResult& result : results) EXPECT_TRUE(result.reply) << result.failure;
  EXPECT_EQ(one.count() + two.count(), 60);
  const JudgeStatistics statistics = judge.statistics();
  EXPECT_TRUE(statistics.endpoints[1].is_resting);
  EXPECT_FALSE(statistics.endpoints[0].is_resting);
  EXPECT_GE(statistics.endpoints[1].failed, 3);
  EXPECT_LE(statistics.endpoints[1].sent, 3 + config.concurrency - 1) << "what was under way when the third failed";
}

TEST(Judge, EndpointIsProbedAfterItsRest) {
  const MisbehavingServer server(at_first(6, {.body = "{}", .status = 503}));
  JudgeConfig config = quick_config({server.url()});
  config.concurrency = 1;
  config.breaker_failures = 2;
  config.retries = 10;
  Judge judge(config);
  const std::vector<ChatResult> results = judge.ask(numbered_questions(5));
  for (const ChatResult& result : results) EXPECT_TRUE(result.reply) << result.failure;
  EXPECT_EQ(server.count(), 6 + 5);
  EXPECT_FALSE(judge.statistics().endpoints[0].is_resting);
}

TEST(Judge, AllEndpointsDownEndsInAPlainSentence) {
  JudgeConfig config = quick_config({dead_url(), dead_url()});
  config.breaker_failures = 1;
  config.breaker_rest_seconds = 3600;
  config.timeout_seconds = 0.05;
  config.give_up_seconds = 0.05;
  Judge judge(config);
  int never_sent = 0;
  for (int round = 0; round < 2; ++round)
    for (const ChatResult& result : judge.ask(numbered_questions(9))) {
      EXPECT_FALSE(result.reply);
      EXPECT_NE(result.failure.find("http://127.0.0.1"), std::string::npos) << result.failure;
      never_sent += result.failure.find("no judge answered for 0.05 s") == 0 ? 1 : 0;
    }
  EXPECT_GE(never_sent, 18 - 2) << "one request tried each endpoint";
  EXPECT_EQ(judge.statistics().failures.at("gave_up"), never_sent);
}

TEST(Judge, RetryAfterPausesTheEndpointThatSentIt) {
  const MisbehavingServer full(always({.body = "{}", .status = 429, .headers = {"Retry-After: 3000"}}));
  const MisbehavingServer free(always(sound()));
  JudgeConfig config = quick_config({full.url(), free.url()});
  config.concurrency = 1;
  config.max_retry_after_seconds = 3600;
  Judge judge(config);
  const std::vector<ChatResult> results = judge.ask(numbered_questions(10));
  for (const ChatResult& result : results) EXPECT_TRUE(result.reply) << result.failure;
  EXPECT_EQ(full.count(), 1);
  EXPECT_EQ(free.count(), 10);
  EXPECT_FALSE(judge.statistics().endpoints[0].is_resting) << "a full server is no dead server";
}

TEST(Judge, RetryAfterIsCapped) {
  const MisbehavingServer server(at_first(1, {.body = "{}", .status = 429, .headers = {"Retry-After: 300000"}}));
  JudgeConfig config = quick_config({server.url()});
  config.max_retry_after_seconds = 0.01;
  Judge judge(config);
  EXPECT_TRUE(judge.ask({question("?")})[0].reply);
}

TEST(Judge, StopEndsEverythingSoon) {
  MisbehavingServer server(always({.body = "", .manner = Manner::hang}));
  Judge judge(quick_config({server.url()}));
  std::vector<ChatResult> results;
  std::thread caller([&] { results = judge.ask(numbered_questions(30)); });
  server.wait_for(4);
  judge.stop();
  caller.join();
  ASSERT_EQ(results.size(), 30u);
  for (const ChatResult& result : results) EXPECT_FALSE(result.reply);
  EXPECT_EQ(server.count(), 4);
  EXPECT_NE(judge.ask({question("later")})[0].failure.find("stopped"), std::string::npos);
}

TEST(Judge, EqualRequestsAreAskedOnceAndTheFileContinues) {
  const TemporaryFolder folder;
  const MisbehavingServer server(always(sound()));
  JudgeConfig config = quick_config({server.url()});
  config.cache = true;
  config.cache_file = "judge.jsonl";
  ChatRequest with_picture = question("is it red?");
  with_picture.messages[0].parts.push_back(picture(200));
  ChatRequest other_picture = with_picture;
  other_picture.messages[0].parts[1] = picture(201);
  {
    Judge judge(config, folder.path());
    judge.ask({with_picture});
    judge.ask({with_picture, other_picture});
    EXPECT_EQ(judge.statistics().cache_hits, 1);
  }
  EXPECT_EQ(server.count(), 2);
  Judge judge(config, folder.path());
  const std::vector<ChatResult> results = judge.ask({with_picture, other_picture});
  EXPECT_EQ(results[0].reply->tokens.at(0).logprob, -0.25);
  EXPECT_EQ(server.count(), 2);
  EXPECT_EQ(judge.statistics().images_encoded, 0);
  config.model = "another";
  EXPECT_TRUE(Judge(config, folder.path()).ask({with_picture})[0].reply);
  EXPECT_EQ(server.count(), 3);
}

TEST(Judge, ImagesAreEncodedOnceAndDamagedOnesFailAlone) {
  const MisbehavingServer server(always(sound()));
  Judge judge(quick_config({server.url()}));
  std::vector<ChatRequest> requests = numbered_questions(6);
  for (size_t i = 0; i < 4; ++i) requests[i].messages[0].parts.push_back(picture(uint8_t(i % 2)));
  requests[4].messages[0].parts.push_back(picture(9));
  requests[4].messages[0].parts[1].image = shared_image({4, 6, {}});
  const std::vector<ChatResult> results = judge.ask(requests);
  for (size_t i = 0; i < 6; ++i) EXPECT_EQ(results[i].reply.has_value(), i != 4) << results[i].failure;
  EXPECT_EQ(judge.statistics().images_encoded, 2);
  EXPECT_EQ(judge.statistics().failures.at("unsendable"), 1);
}

TEST(Judge, KeyIsSentAndNeverShown) {
  const std::string key = "sk-very-secret-0123456789";
  ::setenv("DIPTYCH_TEST_KEY", key.c_str(), 1);
  const MisbehavingServer refusing([&](const SeenRequest& request) {
    return ServerReply{.body = R"({"error":{"message":"Incorrect API key provided: )" + key + "\"}}",
                       .status = request.index % 2 == 0 ? 500 : 401};
  });
  const MisbehavingServer broken(always({.body = "key " + key, .status = 200}));
  const TemporaryFolder folder;
  JudgeConfig config = quick_config({refusing.url(), broken.url()});
  config.api_key_env = "DIPTYCH_TEST_KEY";
  config.breaker_failures = 1;
  config.breaker_rest_seconds = 0.001;
  config.cache = true;
  config.cache_file = "judge.jsonl";
  ::testing::internal::CaptureStderr();
  std::string shown;
  {
    Judge judge(config, folder.path());
    for (const ChatResult& result : judge.ask(numbered_questions(20))) shown += result.failure + "\n";
  }
  shown += ::testing::internal::GetCapturedStderr() + read_file(folder.path() / "judge.jsonl");
  EXPECT_NE(refusing.seen()[0].head.find("Authorization: Bearer " + key + "\r\n"), std::string::npos);
  EXPECT_NE(shown.find("[key]"), std::string::npos);
  EXPECT_NE(shown.find("rests for"), std::string::npos);
  EXPECT_EQ(shown.find("very-secret"), std::string::npos) << shown;
  ::unsetenv("DIPTYCH_TEST_KEY");
}

}  // namespace
}  // namespace diptych
