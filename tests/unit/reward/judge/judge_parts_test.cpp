// The parts of the judge that need no server.

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "diptych/base/config/config.h"
#include "diptych/io/files.h"
#include "diptych/reward/judge/circuit_breaker.h"
#include "diptych/reward/judge/endpoint_pool.h"
#include "diptych/reward/judge/judge_attempt.h"
#include "diptych/reward/judge/judge_statistics.h"
#include "diptych/reward/judge/response_cache.h"
#include "support/expect_error.h"
#include "support/temporary_folder.h"
#include "unit/reward/judge_fixture.h"

namespace diptych {

struct JudgeRecipe {
  JudgeConfig judge;
};
inline void visit(ConfigFields& fields, JudgeRecipe& recipe) {
  fields.section("judge", recipe.judge);
}

namespace {

SteadyTime at(double seconds) {
  return SteadyTime{} + steady_seconds(seconds);
}

TEST(CircuitBreaker, RestsAfterFailuresInARowAndProbesOnce) {
  CircuitBreaker breaker(3, steady_seconds(10));
  for (int i = 0; i < 2; ++i) breaker.fail(breaker.start(), at(0));
  breaker.succeed();
  for (int i = 0; i < 2; ++i) breaker.fail(breaker.start(), at(1));
  EXPECT_TRUE(breaker.allows(at(1)));
  breaker.fail(breaker.start(), at(1));
  EXPECT_TRUE(breaker.is_resting());
  breaker.fail(false, at(9));  // sent before the rest: does not prolong it
  EXPECT_FALSE(breaker.allows(at(10.9)));
  ASSERT_TRUE(breaker.allows(at(11)));
  const bool is_probe = breaker.start();
  EXPECT_TRUE(is_probe);
  EXPECT_FALSE(breaker.allows(at(11))) << "one probe only";
  breaker.fail(is_probe, at(12));
  EXPECT_FALSE(breaker.allows(at(21)));
  ASSERT_TRUE(breaker.allows(at(22)));
  breaker.start();
  breaker.succeed();
  EXPECT_FALSE(breaker.is_resting());
  EXPECT_TRUE(breaker.allows(at(22)));
}

TEST(EndpointPool, TakesTheFreestEndpointThatMayBeAsked) {
  EndpointPool pool({"a", "b", "c"}, 2, CircuitBreaker(1, steady_seconds(10)));
  EXPECT_EQ(pool.places(), 6);
  std::vector<size_t> order;
  for (int i = 0; i < 6; ++i) order.push_back(pool.acquire(std::nullopt, at(0))->endpoint);
  EXPECT_EQ(order, (std::vector<size_t>{0, 1, 2, 0, 1, 2}));
  EXPECT_FALSE(pool.acquire(std::nullopt, at(0)));
  EXPECT_EQ(pool.in_use(), 6);
  for (const size_t endpoint : order) pool.release({endpoint, false}, EndpointHealth::working, at(0));

  EXPECT_TRUE(pool.release(*pool.acquire(1, at(1)), EndpointHealth::failing, at(1))) << "a rests";
  EXPECT_EQ(pool.acquire(1, at(1))->endpoint, 2u) << "b failed this request";
  pool.pause(2, at(5));
  EXPECT_EQ(pool.acquire(1, at(1))->endpoint, 1u) << "better than nothing";
  EXPECT_EQ(pool.next_change(at(1)), at(5));
  EXPECT_EQ(pool.next_change(at(5)), at(11));
  EXPECT_EQ(pool.next_change(at(11)), SteadyTime::max());
  EXPECT_EQ(pool.acquire(1, at(5))->endpoint, 2u);
}

HttpReply http(int status, const std::string& body, const std::string& content_type = "application/json") {
  HttpReply reply;
  reply.status = status;
  reply.body = body;
  reply.content_type = content_type;
  return reply;
}

TEST(JudgeAttempt, StatusDecidesAboutRetries) {
  for (const int status : {408, 409, 425, 429, 500, 502, 503, 504, 529})
    EXPECT_TRUE(judge_attempt(http(status, ""), 0, 0).is_retryable) << status;
  for (const int status : {301, 307, 400, 401, 403, 404, 413, 422}) {
    const JudgeAttempt attempt = judge_attempt(http(status, "{\"detail\":\"because\"}"), 0, 0);
    EXPECT_FALSE(attempt.is_retryable) << status;
    EXPECT_FALSE(attempt.is_endpoint_fault) << status;
    EXPECT_EQ(attempt.failure, ChatFailure::refused) << status;
    EXPECT_NE(attempt.failure_text.find("because"), std::string::npos) << attempt.failure_text;
  }
  EXPECT_FALSE(judge_attempt(http(429, ""), 0, 0).is_endpoint_fault) << "a full server is no dead server";
  EXPECT_TRUE(judge_attempt(http(500, ""), 0, 0).is_endpoint_fault);
  HttpReply paused = http(503, "");
  paused.retry_after = "12";
  EXPECT_EQ(judge_attempt(paused, 0, 0).rest_seconds, 12);
  EXPECT_TRUE(judge_attempt(http(200, completion().dump()), 5, 0).reply);
}

TEST(JudgeAttempt, OtherContentTypesAreMalformed) {
  const JudgeAttempt page = judge_attempt(http(200, "<html>welcome</html>", "text/html"), 0, 0);
  EXPECT_EQ(page.failure, ChatFailure::malformed);
  EXPECT_TRUE(page.is_retryable);
  EXPECT_NE(page.failure_text.find("text/html"), std::string::npos);
  EXPECT_TRUE(judge_attempt(http(200, completion().dump(), "application/json; charset=utf-8"), 5, 0).reply);
  EXPECT_TRUE(judge_attempt(http(200, completion().dump(), ""), 5, 0).reply);
}

TEST(JudgeAttempt, ErrorObjectCountsAsTheStatusItNames) {
  const auto failure = [](const std::string& body) { return judge_attempt(http(200, body), 0, 0).failure; };
  EXPECT_EQ(failure(R"({"error":{"message":"overloaded"}})"), ChatFailure::server_error);
  EXPECT_EQ(failure(R"({"error":{"message":"slow down","code":429}})"), ChatFailure::rate_limited);
  EXPECT_EQ(failure(R"({"object":"error","message":"too long","code":400})"), ChatFailure::refused);
  EXPECT_EQ(failure(R"({"error":"out of memory"})"), ChatFailure::server_error);
}

TEST(JudgeAttempt, BackoffDoublesUpToItsLimit) {
  EXPECT_DOUBLE_EQ(backoff_seconds(1, 0.5, 30, 0, 0.9), 0.5);
  EXPECT_DOUBLE_EQ(backoff_seconds(3, 0.5, 30, 0, 0.9), 2);
  EXPECT_DOUBLE_EQ(backoff_seconds(2000, 0.5, 30, 0, 0.9), 30);
  EXPECT_DOUBLE_EQ(backoff_seconds(2, 0.5, 30, 0.5, 0), 0.5);
  EXPECT_DOUBLE_EQ(backoff_seconds(2, 0.5, 30, 0.5, 0.5), 0.75);
}

TEST(JudgeAttempt, KeyIsCutOut) {
  EXPECT_EQ(without_key("bad key sk-123456789, sk-123456789!", "sk-123456789"), "bad key [key], [key]!");
  EXPECT_EQ(without_key("EMPTY", "EMPTY"), "EMPTY");
  EXPECT_EQ(without_key("text", ""), "text");
}

TEST(JudgeStatistics, QuantilesOfTheLatest) {
  LatencyWindow window;
  EXPECT_EQ(window.quantile(0.5), 0);
  for (int i = 1; i <= 100; ++i) window.add(i);
  EXPECT_EQ(window.quantile(0.5), 50);
  EXPECT_EQ(window.quantile(0.95), 95);
  EXPECT_EQ(window.quantile(1), 100);
  for (int i = 0; i < 5000; ++i) window.add(7);
  EXPECT_EQ(window.quantile(1), 7);
}

TEST(JudgeStatistics, BusyShareCountsOnlyWhileWorkWaits) {
  BusyShare busy(4);
  EXPECT_EQ(busy.value(), 0);
  busy.change(10, 4, true);
  busy.change(12, 2, true);
  busy.change(14, 1, false);
  busy.change(100, 4, true);
  EXPECT_DOUBLE_EQ(busy.value(), (2 * 4 + 2 * 2) / 16.0);
  busy.discount(1);
  EXPECT_DOUBLE_EQ(busy.value(), 11 / 16.0);
}

TEST(JudgeConfig, RecipeRoundTrip) {
  const TemporaryFolder folder;
  JudgeRecipe recipe;
  recipe.judge = quick_config({"http://127.0.0.1:8000/v1", "http://127.0.0.1:8001/v1"});
  recipe.judge.extra_body = R"({"top_k": 1})";
  const std::string text = print_config(recipe);
  write_file_atomic(folder.path() / "recipe.toml", text);
  EXPECT_EQ(print_config(load_config<JudgeRecipe>(folder.path() / "recipe.toml", {})), text);
}

TEST(JudgeConfig, ImpossibleSettingsAreNamed) {
  const auto check = [](const std::string& part, const std::function<void(JudgeConfig&)>& change) {
    JudgeConfig config = quick_config({"http://127.0.0.1:8000/v1"});
    change(config);
    expect_error([&] { check_judge_config(config); }, ExitCode::config, {part});
  };
  check_judge_config(quick_config({"https://judge.example/v1/"}));
  check("endpoints", [](JudgeConfig& config) { config.endpoints = {}; });
  check("localhost:8000", [](JudgeConfig& config) { config.endpoints = {"localhost:8000"}; });
  check("endpoints", [](JudgeConfig& config) { config.endpoints = {"file:///etc/passwd"}; });
  check("leave out", [](JudgeConfig& config) { config.endpoints = {"http://x/v1/chat/completions"}; });
  check("model", [](JudgeConfig& config) { config.model = ""; });
  check("extra_body", [](JudgeConfig& config) { config.extra_body = "{top_k: 1}"; });
  check("'messages'", [](JudgeConfig& config) { config.extra_body = R"({"messages": []})"; });
  check("give_up_seconds", [](JudgeConfig& config) { config.give_up_seconds = 1; });
}

TEST(JudgeConfig, SecretsInTheWrongPlaceAreNotShown) {
  JudgeConfig config = quick_config({"http://user:pass-word@host/v1"});
  try {
    check_judge_config(config);
    ADD_FAILURE();
  } catch (const Error& error) {
    EXPECT_EQ(std::string(error.what()).find("pass-word"), std::string::npos) << error.what();
  }
  config.api_key_env = "sk-secret";
  try {
    judge_api_key(config);
    ADD_FAILURE();
  } catch (const Error& error) {
    EXPECT_EQ(std::string(error.what()).find("secret"), std::string::npos) << error.what();
  }
  config.api_key_env = "DIPTYCH_TEST_KEY";
  expect_error([&] { judge_api_key(config); }, ExitCode::config, {"DIPTYCH_TEST_KEY"});
  ::setenv("DIPTYCH_TEST_KEY", "two\r\nlines", 1);
  expect_error([&] { judge_api_key(config); }, ExitCode::config, {"DIPTYCH_TEST_KEY"});
  ::unsetenv("DIPTYCH_TEST_KEY");
}

ChatReply reply_of(const std::string& text) {
  return {text, "", "stop", {{text, -0.125, {{text, -0.125}, {" No", -2.1}}}}, 20, 1};
}

TEST(ResponseCache, FileSurvivesAndIsMended) {
  const TemporaryFolder folder;
  const auto file = folder.path() / "replies.jsonl";
  {
    ResponseCache cache(10, file);
    EXPECT_FALSE(cache.find("a"));
    cache.store("a", R"({"q":1})", reply_of("Yes"));
    cache.store("b", R"({"q":2})", reply_of("No"));
  }
  write_file_atomic(file, read_file(file) + "{\"key\":\"c\",\"re");
  const ResponseCache cache(10, file);
  const std::optional<ChatReply> reply = cache.find("a");
  ASSERT_TRUE(reply);
  EXPECT_EQ(reply->text, "Yes");
  EXPECT_EQ(reply->finish_reason, "stop");
  EXPECT_EQ(reply->tokens.at(0).top, reply_of("Yes").tokens[0].top);
  EXPECT_EQ(reply->tokens.at(0).logprob, -0.125);
  EXPECT_EQ(reply->prompt_tokens, 20);
  EXPECT_EQ(cache.find("b")->text, "No");
  EXPECT_FALSE(cache.find("c"));
  write_file_atomic(file, "{\"key\":\"a\",\"reply\":{}}\n");
  expect_error([&] { ResponseCache(10, file); }, ExitCode::data, {"replies.jsonl:1"});
}

TEST(ResponseCache, ForgetsTheOldest) {
  ResponseCache cache(2, "");
  for (const char* key : {"a", "b", "a", "c"}) cache.store(key, "{}", reply_of(key));
  EXPECT_FALSE(cache.find("a"));
  EXPECT_TRUE(cache.find("b"));
  EXPECT_TRUE(cache.find("c"));
}

}  // namespace
}  // namespace diptych
