#include "diptych/reward/protocols/dvreward.h"

#include <gtest/gtest.h>

#include <cmath>

#include "diptych/reward/shapes_task.h"
#include "diptych/shapes/world/caption.h"
#include "diptych/shapes/world/questions.h"
#include "support/expect_error.h"
#include "unit/reward/fake_judge.h"

namespace diptych {
namespace {

// Says yes with the probability that stands in the question.
ChatResult answer_as_told(const ChatRequest& request) {
  const std::string question = question_in(request);
  if (question == "fail") return failed_request("HTTP 503 after 4 tries");
  const double yes = std::stod(question);
  return replied(yes > 0.5 ? "yes" : "no", {{"yes", std::log(yes)}, {"no", std::log(1 - yes)}});
}

std::vector<AtomicQuestion> questions(const std::vector<std::string>& semantic,
                                      const std::vector<std::string>& quality) {
  std::vector<AtomicQuestion> all;
  for (const std::string& text : semantic)
    all.push_back({"semantic", "Existence", text, "s" + std::to_string(all.size() + 1)});
  for (const std::string& text : quality)
    all.push_back({"quality", "Texture", text, "q" + std::to_string(all.size() + 1 - semantic.size())});
  return all;
}

std::vector<std::string> names(const Score& score) {
  std::vector<std::string> all;
  for (const Check& check : score.checks) all.push_back(check.name);
  return all;
}

TEST(DvReward, IsTheGeometricMeanOfBothGroups) {
  const FakeJudge judge{answer_as_told};
  const TaskPrompt prompt = prompt_of("a dog", questions({"0.9", "0.7"}, {"0.45"}));
  const Candidate candidate = candidate_of({filled_image(1)});
  const std::vector<Score> scores = dvreward({{&prompt, &candidate}}, judge, {});
  ASSERT_EQ(scores.size(), 1u);
  EXPECT_EQ(scores[0].status, ScoreStatus::ok);
  EXPECT_NEAR(scores[0].value.value(), std::sqrt(0.8 * 0.45), 1e-12);
  EXPECT_EQ(names(scores[0]), (std::vector<std::string>{"semantic", "quality", "s1", "s2", "q1"}));
  EXPECT_NEAR(scores[0].checks[0].value, 0.8, 1e-12);
  EXPECT_NEAR(scores[0].checks[4].value, 0.45, 1e-12);
  EXPECT_EQ(std::count(scores[0].raw_reply.begin(), scores[0].raw_reply.end(), '\n'), 2);
}

TEST(DvReward, AsksEverythingInOneBatchAboutTheLastImage) {
  const FakeJudge judge{answer_as_told};
  const TaskPrompt dog = prompt_of("a dog", questions({"0.5", "0.6"}, {"0.7"}));
  const TaskPrompt cat = prompt_of("a cat", questions({"0.2"}, {"0.3"}));
  const Candidate first = candidate_of({filled_image(1), filled_image(2)});
  const Candidate none = candidate_of({});
  const Candidate last = candidate_of({filled_image(3)});
  const std::vector<Score> scores = dvreward({{&dog, &first}, {&dog, &none}, {&cat, &last}}, judge, {});
  ASSERT_EQ(judge.batches->size(), 1u);
  const std::vector<ChatRequest>& requests = judge.batches->front();
  ASSERT_EQ(requests.size(), 5u);
  EXPECT_EQ(question_in(requests[1]), "0.6");
  EXPECT_EQ(requests[1].messages.back().parts[0].image->pixels[0], 2);
  EXPECT_EQ(requests[1].messages.back().parts[0].image, requests[0].messages.back().parts[0].image) << "one copy";
  EXPECT_EQ(requests[4].messages.back().parts[0].image->pixels[0], 3);
  EXPECT_EQ(scores[0].status, ScoreStatus::ok);
  EXPECT_EQ(scores[1].status, ScoreStatus::failed);
  EXPECT_NEAR(scores[2].value.value(), std::sqrt(0.2 * 0.3), 1e-12);
}

TEST(DvReward, OneUnansweredQuestionMasksTheSampleAlone) {
  const FakeJudge judge{answer_as_told};
  const TaskPrompt broken = prompt_of("a dog", questions({"0.9", "fail"}, {"0.4"}));
  const TaskPrompt whole = prompt_of("a cat", questions({"0.9"}, {"0.4"}));
  const Candidate candidate = candidate_of({filled_image(1)});
  const std::vector<Score> scores = dvreward({{&broken, &candidate}, {&whole, &candidate}}, judge, {});
  EXPECT_EQ(scores[0].status, ScoreStatus::masked);
  EXPECT_FALSE(scores[0].value);
  EXPECT_EQ(names(scores[0]), (std::vector<std::string>{"s1", "q1"}));
  EXPECT_NE(scores[0].raw_reply.find("HTTP 503 after 4 tries"), std::string::npos);
  EXPECT_EQ(scores[1].status, ScoreStatus::ok);
}

TEST(DvReward, AggregatesAndTheirNames) {
  const auto value = [](const char* name) {
    return *dvreward_aggregate({0.9, 0.2}, {0.6}, dvreward_aggregate_kind(name), EmptyList::one).value;
  };
  EXPECT_NEAR(value("geometric"), std::sqrt(0.55 * 0.6), 1e-12);
  EXPECT_NEAR(value("arithmetic"), 0.5 * (0.55 + 0.6), 1e-12);
  EXPECT_NEAR(value("pooled"), 1.7 / 3, 1e-12);
  EXPECT_NEAR(value("binary"), std::sqrt(0.5), 1e-12);
  expect_error([] { dvreward_aggregate_kind("harmonic"); }, ExitCode::config, {"reward.dvreward.aggregate", "binary"});
}

TEST(DvReward, AnEmptyListCountsAsOneOrIsAnError) {
  EXPECT_NEAR(*dvreward_aggregate({0.25}, {}, DvRewardAggregate::geometric, EmptyList::one).value, 0.5, 1e-12);
  EXPECT_NEAR(*dvreward_aggregate({}, {0.25}, DvRewardAggregate::arithmetic, EmptyList::one).value, 0.625, 1e-12);
  EXPECT_EQ(*dvreward_aggregate({}, {}, DvRewardAggregate::pooled, EmptyList::one).value, 1);
  expect_error([] { dvreward_aggregate({0.5}, {}, DvRewardAggregate::pooled, EmptyList::error); }, ExitCode::data,
               {"1 semantic and 0 quality", "empty_list"});
}

TEST(DvReward, PromptsOfTheShapesWorldBringTheirQuestions) {
  const shapes::Request request = *shapes::parse_caption("a red circle");
  TaskPrompt prompt = shapes_task(
      {.text = "a photo of a red circle", .family = {}, .request = request, .refined = {}, .reasoning = {}});
  const std::vector<AtomicQuestion> own = questions_of(prompt);
  const std::vector<shapes::Question> expected = shapes::atomic_questions(request);
  ASSERT_EQ(own.size(), expected.size());
  for (size_t i = 0; i < own.size(); ++i) {
    EXPECT_EQ(own[i].id, expected[i].id);
    EXPECT_EQ(own[i].kind, expected[i].kind);
    EXPECT_EQ(own[i].tag, expected[i].tag);
    EXPECT_EQ(own[i].text, expected[i].text);
  }
  prompt.questions = questions({"0.5"}, {});
  EXPECT_EQ(questions_of(prompt).size(), 1u) << "written questions go first";
}

TEST(DvReward, PromptsWithoutQuestionsAreAnError) {
  const TaskPrompt bare = prompt_of("a dog");
  const Candidate candidate = candidate_of({filled_image(1)});
  expect_error(
      [&] {
        dvreward({{&bare, &candidate}}, FakeJudge{answer_as_told}, {});
      },
      ExitCode::data, {"semantic_questions", "'a dog'", "decompose"});
  const TaskPrompt odd = prompt_of("a dog", {{"style", "", "Is it?", "s1"}});
  expect_error([&] { questions_of(odd); }, ExitCode::data, {"\"style\"", "semantic", "'Is it?'"});
}

TEST(HolisticReward, AsksOneQuestionAboutTheWholePrompt) {
  const FakeJudge judge{[](const ChatRequest&) {
    return replied("yes", {{"yes", std::log(0.6)}, {"no", std::log(0.2)}});
  }};
  const TaskPrompt prompt = prompt_of("a {prompt} of dogs");
  const Candidate candidate = candidate_of({filled_image(1)});
  const Candidate none = candidate_of({});
  const auto scores =
      holistic_reward({{&prompt, &none}, {&prompt, &candidate}}, judge, "Does it show exactly: {prompt}?", {});
  EXPECT_EQ(scores[0].status, ScoreStatus::failed);
  EXPECT_NEAR(scores[1].value.value(), 0.75, 1e-12);
  EXPECT_EQ(names(scores[1]), std::vector<std::string>{"yes"});
  ASSERT_EQ(judge.batches->front().size(), 1u);
  EXPECT_EQ(question_in(judge.batches->front()[0]), "Does it show exactly: a {prompt} of dogs?");
}

TEST(HolisticReward, IsMaskedWithoutAnAnswer) {
  const FakeJudge judge{[](const ChatRequest&) { return failed_request("down"); }};
  const TaskPrompt prompt = prompt_of("a dog");
  const Candidate candidate = candidate_of({filled_image(1)});
  const Score score = holistic_reward({{&prompt, &candidate}}, judge, "{prompt}?", {})[0];
  EXPECT_EQ(score.status, ScoreStatus::masked);
  EXPECT_FALSE(score.value);
  EXPECT_NE(score.raw_reply.find("down"), std::string::npos);
}

}  // namespace
}  // namespace diptych
