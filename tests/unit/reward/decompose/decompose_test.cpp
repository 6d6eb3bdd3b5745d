#include "diptych/reward/decompose/decompose.h"

#include <gtest/gtest.h>

#include <fstream>
#include <map>
#include <nlohmann/json.hpp>

#include "diptych/base/text_format.h"
#include "diptych/data/question_file.h"
#include "diptych/io/files.h"
#include "support/expect_error.h"
#include "support/temporary_folder.h"

namespace diptych {
namespace {

const DecomposeTemplates kTemplates = {"generate|{prompt}|", "validate|{prompt}|{questions}",
                                       "tag|{prompt}|{questions}", "quality|{prompt}|{questions}"};

const std::map<std::string, std::string> kGoodReplies = {
    {"generate", "```json\n[\"Is there a cat?\", \"Is the cat red?\"]\n```"},
    {"validate", R"([{"number": 1, "valid": true}, {"number": 2, "reason": "stated", "valid": true}])"},
    {"tag", R"([{"number": 1, "tag": "Existence"}, {"number": 2, "tag": "Attribute"}])"},
    {"quality", R"(Here: [{"question": "Is the fur fluffy?", "tag": "Texture"}])"}};

const std::string kInvalid =
    R"([{"number": 1, "valid": true}, {"number": 2, "reason": "no color given", "valid": false}])";

/** A language model that answers by (prompt, stage): the entries of the script in turn, the good reply after them. */
struct FakeModel {
  using Script = std::map<std::string, std::vector<std::string>>;
  explicit FakeModel(Script replies = {}) : script(std::move(replies)) {}

  Script script;                   // "prompt/stage" -> replies; "FAIL" is no reply
  std::vector<std::string> asked;  // "prompt/stage/seed", in order
  std::vector<size_t> batches;     // requests of each call
  int die_after = -1;              // calls; then an exception stands for a kill

  std::vector<ChatResult> operator()(const std::vector<ChatRequest>& requests) {
    if (die_after >= 0 && static_cast<int>(batches.size()) == die_after) throw std::runtime_error("killed");
    batches.push_back(requests.size());
    std::vector<ChatResult> results;
    for (const ChatRequest& request : requests) results.push_back(answer(request));
    return results;
  }

  ChatResult answer(const ChatRequest& request) {
    const std::string& text = request.messages.at(0).parts.at(0).text;
    const size_t first = text.find('|');
    const size_t second = text.find('|', first + 1);
    const std::string stage = text.substr(0, first);
    const std::string name = cat(text.substr(first + 1, second - first - 1), '/', stage);
    asked.push_back(cat(name, '/', request.seed));
    std::vector<std::string>& replies = script[name];
    std::string reply = kGoodReplies.at(stage);
    if (!replies.empty()) {
      reply = replies.front();
      replies.erase(replies.begin());
    }
    if (reply == "FAIL") return {std::nullopt, "status 503"};
    ChatResult result;
    result.reply.emplace();
    result.reply->text = reply;
    result.reply->prompt_tokens = 10;
    result.reply->completion_tokens = 3;
    return result;
  }
};

class Decompose : public ::testing::Test {
 protected:
  std::vector<Decomposition> run(FakeModel* model, const std::vector<std::string>& prompts, int prompts_at_once = 64,
                                 const std::string& name = "model") {
    DecomposeCache cache(cache_path_, name, [model](const auto& requests) { return (*model)(requests); });
    const auto results =
        decompose(prompts, kTemplates, {.attempts = 5, .prompts_at_once = prompts_at_once}, cache, [](int64_t) {});
    counts_ = cache.counts();
    return results;
  }
  TemporaryFolder folder_;
  std::filesystem::path cache_path_ = folder_.path() / "cache.jsonl";
  DecomposeCache::Counts counts_;
};

std::string lines(const std::vector<std::string>& prompts, const std::vector<Decomposition>& results) {
  std::string text;
  for (size_t i = 0; i < results.size(); ++i)
    text += cat(question_record_json({prompts[i], static_cast<int64_t>(i), results[i].questions}).dump(), ' ',
                results[i].dropped, '\n');
  return text;
}

TEST_F(Decompose, GoesThroughTheFourStages) {
  FakeModel model;
  const auto results = run(&model, {"a red cat"});
  ASSERT_EQ(results.size(), 1u);
  EXPECT_EQ(results[0].dropped, "");
  ASSERT_EQ(results[0].questions.size(), 3u);
  const AtomicQuestion& second = results[0].questions[1];
  EXPECT_EQ(second.kind + second.tag + second.text + second.id, "semanticAttributeIs the cat red?s2");
  const AtomicQuestion& third = results[0].questions[2];
  EXPECT_EQ(third.kind + third.tag + third.text + third.id, "qualityTextureIs the fur fluffy?q1");
  EXPECT_EQ(model.asked, (std::vector<std::string>{"a red cat/generate/0", "a red cat/validate/0", "a red cat/tag/0",
                                                   "a red cat/quality/0"}));
  EXPECT_EQ(counts_.calls, 4);
  EXPECT_EQ(counts_.hits, 0);
  EXPECT_EQ(counts_.prompt_tokens, 40);
  EXPECT_EQ(counts_.completion_tokens, 12);
}

TEST_F(Decompose, AnInvalidQuestionStartsThePromptAfresh) {
  FakeModel model(FakeModel::Script{{"cat/validate", {kInvalid}}});
  const auto results = run(&model, {"cat"});
  EXPECT_EQ(results[0].questions.size(), 3u);
  EXPECT_EQ(model.asked, (std::vector<std::string>{"cat/generate/0", "cat/validate/0", "cat/generate/1",
                                                   "cat/validate/1", "cat/tag/1", "cat/quality/1"}));
}

TEST_F(Decompose, UnusableRepliesRepeatTheirStage) {
  FakeModel model(
      FakeModel::Script{{"cat/generate", {"I cannot."}},
                        {"cat/tag", {R"([{"number": 1, "tag": "Existence"}, {"number": 2, "tag": "Colour"}])"}},
                        {"cat/quality", {"[{\"question\": \"Is it"}}});
  const auto results = run(&model, {"cat"});
  EXPECT_EQ(results[0].questions.size(), 3u);
  EXPECT_EQ(model.asked, (std::vector<std::string>{"cat/generate/0", "cat/generate/1", "cat/validate/1", "cat/tag/1",
                                                   "cat/tag/2", "cat/quality/2", "cat/quality/3"}));
}

TEST_F(Decompose, DropsAPromptAfterFiveAttemptsInVain) {
  FakeModel model(FakeModel::Script{{"cat/validate", std::vector<std::string>(5, kInvalid)}});
  const auto results = run(&model, {"cat", "dog"});
  EXPECT_TRUE(results[0].questions.empty());
  EXPECT_EQ(results[0].dropped,
            "validate: the prompt does not require 'Is the cat red?': no color given (after 5 attempts)");
  EXPECT_FALSE(results[0].is_unanswered);
  EXPECT_EQ(results[1].questions.size(), 3u);
}

TEST_F(Decompose, ADroppedPromptIsAskedAfreshByTheNextRun) {
  FakeModel::Script script = {{"cat/validate", std::vector<std::string>(5, kInvalid)},
                              {"dog/tag", std::vector<std::string>(5, "I cannot.")}};
  FakeModel model(script);
  for (const Decomposition& result : run(&model, {"cat", "dog"})) EXPECT_NE(result.dropped, "");
  FakeModel still(script);
  const auto again = run(&still, {"cat", "dog"});
  EXPECT_EQ(again[1].dropped, "tag: the reply holds no JSON array (after 5 attempts)");
  EXPECT_EQ(still.asked.size(), model.asked.size());
  FakeModel mended;
  const auto good = run(&mended, {"cat", "dog"});
  for (const Decomposition& result : good) EXPECT_EQ(result.questions.size(), 3u) << result.dropped;
  EXPECT_EQ(mended.asked.size(), 8u);
  FakeModel none;
  EXPECT_EQ(lines({"cat", "dog"}, run(&none, {"cat", "dog"})), lines({"cat", "dog"}, good));
  EXPECT_TRUE(none.asked.empty());
}

TEST_F(Decompose, AKilledRunsBadRepliesDoNotDropAPrompt) {
  FakeModel model(FakeModel::Script{{"cat/generate", std::vector<std::string>(5, "no")}});
  model.die_after = 3;
  EXPECT_THROW(run(&model, {"cat"}), std::runtime_error);
  FakeModel halfway(FakeModel::Script{{"cat/generate", {"no", "no"}}});
  const auto results = run(&halfway, {"cat"});
  EXPECT_EQ(results[0].questions.size(), 3u) << results[0].dropped;
  EXPECT_EQ(halfway.asked.front(), "cat/generate/3");
}

TEST_F(Decompose, StopsWhenTheFirstTenPromptsAllFail) {
  FakeModel model;
  std::vector<std::string> prompts;
  for (int i = 0; i < 30; ++i) {
    prompts.push_back(cat("p", i));
    model.script[cat("p", i, "/generate")] = std::vector<std::string>(5, "I would rather not.");
  }
  expect_error([&] { run(&model, prompts); }, ExitCode::reward,
               {"one of the first 10 prompts", "10 of 10", "'p9': generate: the reply holds no JSON array", "cache"});
  EXPECT_EQ(model.asked.size(), 50u);
  model.script.erase("p3/generate");
  EXPECT_EQ(run(&model, prompts)[3].questions.size(), 3u);
}

TEST_F(Decompose, ASecondRunMakesNoCalls) {
  FakeModel model(FakeModel::Script{{"b/validate", {kInvalid}}});
  const std::vector<std::string> prompts = {"a", "b", "c"};
  const std::string first = lines(prompts, run(&model, prompts));
  FakeModel again;
  EXPECT_EQ(lines(prompts, run(&again, prompts, 1)), first);
  EXPECT_TRUE(again.batches.empty());
  EXPECT_EQ(counts_.calls, 0);
  EXPECT_EQ(counts_.hits, 14);
  run(&again, prompts, 64, "another model");
  EXPECT_EQ(counts_.calls, 12);
}

TEST_F(Decompose, EqualPromptsAreAskedOnce) {
  FakeModel model;
  const auto results = run(&model, {"a", "a", "b", "a"});
  EXPECT_EQ(model.asked.size(), 8u);
  EXPECT_EQ(counts_.hits, 8);
  EXPECT_EQ(results[3].questions.size(), 3u);
}

TEST_F(Decompose, KeepsThePoolFull) {
  FakeModel model(FakeModel::Script{{"a/validate", {kInvalid}}});
  const auto results = run(&model, {"a", "b", "c", "d"}, 2);
  EXPECT_EQ(model.batches, (std::vector<size_t>{2, 2, 2, 2, 2, 2, 2, 2, 1, 1}));
  for (const Decomposition& result : results) EXPECT_EQ(result.questions.size(), 3u);
}

TEST_F(Decompose, AKilledRunContinuesWhereItWas) {
  const std::vector<std::string> prompts = {"a", "b", "c", "d"};
  const FakeModel::Script script = {{"a/generate", {"no"}}, {"c/validate", {kInvalid}}};
  FakeModel whole(script);
  const std::string expected = lines(prompts, run(&whole, prompts, 2));
  std::filesystem::remove(cache_path_);
  FakeModel model(script);
  for (int calls = 0; calls < 20; calls += 3) {
    model.die_after = static_cast<int>(model.batches.size()) + 3;
    try {
      EXPECT_EQ(lines(prompts, run(&model, prompts, 2)), expected);
      break;
    } catch (const std::runtime_error&) {
      std::ofstream(cache_path_, std::ios::app) << R"({"key": "torn)";
    }
  }
  EXPECT_EQ(model.asked, whole.asked);
}

TEST_F(Decompose, NoReplyDropsThePromptForThisRunOnly) {
  FakeModel model(FakeModel::Script{{"a/tag", {"FAIL"}}});
  const auto results = run(&model, {"a", "b"});
  EXPECT_EQ(results[0].dropped, "no reply: status 503");
  EXPECT_TRUE(results[0].is_unanswered);
  EXPECT_EQ(results[1].questions.size(), 3u);
  FakeModel mended;
  EXPECT_EQ(run(&mended, {"a", "b"})[0].questions.size(), 3u);
  EXPECT_EQ(mended.asked, (std::vector<std::string>{"a/tag/0", "a/quality/0"}));
}

TEST_F(Decompose, ADeadServerStopsTheRun) {
  FakeModel model;
  std::vector<std::string> prompts;
  for (int i = 0; i < 40; ++i) {
    prompts.push_back(cat("p", i));
    if (i >= 10) model.script[cat("p", i, "/generate")] = {"FAIL"};
  }
  expect_error([&] { run(&model, prompts, 10); }, ExitCode::reward,
               {"20 requests in a row", "status 503", "cache.jsonl"});
}

TEST_F(Decompose, ACacheMustBeOne) {
  write_file_atomic(cache_path_, "{\"prompt\": \"a\"}\n");
  FakeModel model;
  expect_error([&] { run(&model, {"a"}); }, ExitCode::data, {"cache.jsonl:1", "--cache"});
}

}  // namespace
}  // namespace diptych
