#include "diptych/reward/judge_check/judge_check.h"

#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <nlohmann/json.hpp>

#include "support/expect_error.h"
#include "unit/reward/judge_fixture.h"

namespace diptych {
namespace {

/** What a judge sees of a request: its question and whether each picture is red. */
struct Seen {
  std::string question;
  std::vector<bool> is_red;
  bool wants_logprobs = false;
};

Seen look(const ChatRequest& request) {
  Seen seen;
  seen.wants_logprobs = request.top_logprobs > 0;
  for (const ChatPart& part : request.messages.at(0).parts) {
    if (part.image) seen.is_red.push_back(part.image->pixels[0] > part.image->pixels[2]);
    seen.question += part.text;
  }
  return seen;
}

bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

ChatReply saying(const std::string& text, bool with_logprobs, double probability = 0.98) {
  ChatReply reply{text, "", "stop", {}, 10, 1};
  const double p = std::log(probability), q = std::log(1 - probability);
  if (with_logprobs) reply.tokens = {{text, p, {{text, p}, {text == "Yes" ? "No" : "Yes", q}}}};
  return reply;
}

/** A judge that is right about everything. */
ChatReply good_reply(const Seen& seen) {
  if (contains(seen.question, "What colour")) return saying(seen.is_red.at(0) ? "Red." : "Blue.", seen.wants_logprobs);
  if (seen.is_red.empty()) return saying("Yes", seen.wants_logprobs);
  return saying(seen.is_red[0] == contains(seen.question, "red?") ? "Yes" : "No", seen.wants_logprobs);
}

/** Probes a good judge whose replies, or failures, `spoil` changes. */
std::vector<JudgeProbe> probe(const std::function<void(const Seen&, ChatResult&)>& spoil) {
  return probe_judge([&](const std::vector<ChatRequest>& requests) {
    std::vector<ChatResult> results;
    for (const ChatRequest& request : requests) {
      results.push_back({good_reply(look(request)), ""});
      spoil(look(request), results.back());
    }
    return results;
  });
}

/** The outcome of the named probe, whose detail must contain `part`. */
void expect_outcome(const std::vector<JudgeProbe>& probes, const std::string& name, ProbeOutcome outcome,
                    const std::string& part = "") {
  for (const JudgeProbe& probe : probes) {
    if (probe.name != name) {
      EXPECT_EQ(probe.outcome, ProbeOutcome::passed) << probe.name << ": " << probe.detail;
      continue;
    }
    EXPECT_EQ(probe.outcome, outcome) << probe.detail;
    EXPECT_TRUE(contains(probe.detail, part)) << probe.detail;
    return;
  }
  ADD_FAILURE() << "no probe " << name;
}

TEST(JudgeProbe, GoodJudgePassesEverything) {
  const std::vector<JudgeProbe> probes = probe([](const Seen&, ChatResult&) {});
  EXPECT_EQ(probes.size(), 7u);
  for (const JudgeProbe& probe : probes)
    EXPECT_EQ(probe.outcome, ProbeOutcome::passed) << probe.name << ": " << probe.detail;
}

TEST(JudgeProbe, FaultsAreFound) {
  const auto failed = ProbeOutcome::failed;
  const auto warned = ProbeOutcome::warned;
  const auto fail = [](ChatResult& result) { result = {std::nullopt, "status 400: no"}; };
  expect_outcome(probe([&](const Seen&, ChatResult& result) { fail(result); }), "reachable", failed, "status 400");
  expect_outcome(probe([](const Seen&, ChatResult& result) { result.reply->reasoning = "hm"; }), "thinking", failed);
  expect_outcome(probe([](const Seen& seen, ChatResult& result) {
                   if (!seen.wants_logprobs) result.reply->text = "<think>\nhm";
                 }),
                 "thinking", failed, "disable_thinking");
  expect_outcome(probe([&](const Seen& seen, ChatResult& result) {
                   if (!seen.is_red.empty()) fail(result);
                 }),
                 "images", failed, "a PNG was not accepted");
  expect_outcome(probe([](const Seen& seen, ChatResult& result) {
                   if (contains(seen.question, "colour")) result.reply->text = "red";
                 }),
                 "images", failed, "full of blue, the judge sees 'red'");
  expect_outcome(probe([&](const Seen& seen, ChatResult& result) {
                   if (seen.wants_logprobs) fail(result);
                 }),
                 "log-probs", failed, "status 400");
  const auto change_tokens = [&](const std::function<void(ChatToken&)>& change) {
    return probe([change](const Seen& seen, ChatResult& result) {
      if (seen.wants_logprobs) change(result.reply->tokens[0]);
    });
  };
  expect_outcome(change_tokens([](ChatToken& token) { token.top[1].second = 0; }), "log-probs", failed, "sum to 1.980");
  expect_outcome(change_tokens([](ChatToken& token) { std::swap(token.top[0], token.top[1]); }), "log-probs", warned);
  expect_outcome(change_tokens([](ChatToken& token) {
                   for (auto& [text, logprob] : token.top) text = "The " + text;
                 }),
                 "yes/no", failed, "yes and no cover 0.0 %");
  expect_outcome(change_tokens([](ChatToken& token) {
                   for (auto& [text, logprob] : token.top) logprob += std::log(0.7);
                 }),
                 "yes/no", warned, "70.0 %");
  expect_outcome(change_tokens([](ChatToken& token) {
                   for (auto& [text, logprob] : token.top) text = text == "Yes" ? "No" : "Yes";
                 }),
                 "yes/no", failed, "wrong answer");
  expect_outcome(probe([&](const Seen& seen, ChatResult& result) {
                   if (seen.is_red.size() == 2) fail(result);
                 }),
                 "two images", warned, "editing");
  expect_outcome(probe([&](const Seen& seen, ChatResult& result) {
                   if (seen.is_red.size() == 2) result.reply = saying("Yes", true);
                 }),
                 "two images", warned, "which comes first");
  int asked = 0;
  expect_outcome(probe([&](const Seen& seen, ChatResult& result) {
                   if (seen.is_red.size() == 1 && contains(seen.question, "red?"))
                     result.reply = saying("Yes", true, 0.99 - 0.05 * asked++);
                 }),
                 "repeats", warned, "spreads by 0.15");
}

/** A judge that sees nothing but is right about one picture, by the form of the questions alone. */
ServerReply serve(const SeenRequest& request) {
  const nlohmann::json body = nlohmann::json::parse(request.body);
  std::string text;
  const nlohmann::json& content = body["messages"].back()["content"];
  if (content.is_string()) return sound("Yes");
  for (const nlohmann::json& part : content)
    if (part["type"] == "text") text += part["text"].get<std::string>();
  if (contains(text, "What colour")) return sound(contains(request.body, "data:image/png;base64,") ? "red" : "blue");
  if (contains(text, "red?")) return sound("Yes");
  return {.body = R"({"choices":[{"message":{"content":"No"},"finish_reason":"stop","logprobs":{"content":[
              {"token":"No","logprob":-0.1,"top_logprobs":[{"token":"No","logprob":-0.1},
              {"token":"Yes","logprob":-2.4}]}]}}],"usage":{"prompt_tokens":1000,"completion_tokens":2}})"};
}

JudgeCheckOptions check_options(const std::vector<std::string>& urls) {
  JudgeCheckOptions options;
  options.judge = quick_config(urls);
  options.judge.retries = 0;
  options.requests = 6;
  return options;
}

TEST(JudgeCheck, AnswersOfAServerMakeAReport) {
  const MisbehavingServer one(serve);
  const MisbehavingServer two(serve);
  JudgeCheckOptions options = check_options({one.url(), two.url()});
  options.judge.cache = true;
  options.prices = JudgePrices{0.5, 10};
  const JudgeCheckReport report = check_judge(options);
  EXPECT_EQ(report.reasons, std::vector<std::string>{});
  ASSERT_EQ(report.endpoints.size(), 2u);
  EXPECT_EQ(report.endpoints[1].url, two.url());
  EXPECT_EQ(report.endpoints[1].probes.size(), 7u);
  ASSERT_TRUE(report.load);
  EXPECT_EQ(report.load->statistics.answered, 6);
  EXPECT_EQ(report.load->failure, "");
  EXPECT_NEAR(*report.load->cost_per_thousand, 1000 * (1000 * 0.5e-6 + 2 * 10e-6), 1e-9);
}

TEST(JudgeCheck, OneBadEndpointMakesTrainingUnsafe) {
  const MisbehavingServer good(serve);
  const std::string dead = dead_url();
  const JudgeCheckReport report = check_judge(check_options({good.url(), dead}));
  ASSERT_EQ(report.reasons.size(), 1u);
  EXPECT_TRUE(contains(report.reasons[0], dead + ": reachable:")) << report.reasons[0];
  EXPECT_FALSE(report.load);
}

TEST(JudgeCheck, FailuresUnderLoadMakeTrainingUnsafe) {
  const MisbehavingServer server([](const SeenRequest& request) {
    return contains(request.body, "circle") ? ServerReply{.body = "full", .status = 429} : serve(request);
  });
  const JudgeCheckReport report = check_judge(check_options({server.url()}));
  ASSERT_EQ(report.reasons.size(), 1u);
  EXPECT_TRUE(contains(report.reasons[0], "6 of 6 requests got no answer")) << report.reasons[0];
  EXPECT_TRUE(contains(report.reasons[0], "429")) << report.reasons[0];
  ASSERT_TRUE(report.load);
  EXPECT_FALSE(report.load->cost_per_thousand);
}

TEST(JudgeCheck, ImpossibleSettingsAreErrors) {
  expect_error([] { check_judge(check_options({})); }, ExitCode::config, {"endpoints"});
}

}  // namespace
}  // namespace diptych
