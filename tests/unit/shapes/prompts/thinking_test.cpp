#include "diptych/shapes/prompts/thinking.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <set>

#include "diptych/base/text_format.h"
#include "diptych/shapes/examples/corpus.h"
#include "diptych/shapes/prompts/facts.h"
#include "diptych/shapes/world/caption.h"

namespace diptych::shapes {
namespace {

const Prompt& first_of_fact(int fact) {
  for (const std::string& family : families(true))
    for (const Prompt& prompt : all_prompts(Split::train, family))
      if (prompt.fact == fact) return prompt;
  throw std::out_of_range("fact without prompt");
}

int fact_about(const std::string& thing) {
  for (size_t id = 0; id < facts().size(); ++id)
    if (facts()[id].thing == thing) return static_cast<int>(id);
  throw std::out_of_range(thing);
}

TEST(Facts, EveryAnswerHasAsManyReliableAsDoubtfulThings) {
  std::map<std::pair<FactKind, int>, std::vector<double>> reliabilities;
  for (const Fact& fact : facts()) reliabilities[{fact.kind, fact.answer}].push_back(fact.reliability);
  EXPECT_EQ(reliabilities.size(), 8u + 4u + 6u + 4u);
  for (const auto& [answer, list] : reliabilities) {
    if (answer.first == FactKind::relation) continue;
    EXPECT_GE(list.size(), 3u);
    EXPECT_EQ(std::count(list.begin(), list.end(), 0.85), std::count(list.begin(), list.end(), 0.35));
    EXPECT_EQ(std::count(list.begin(), list.end(), 0.85) * 2, static_cast<int>(list.size()));
  }
}

TEST(Facts, ConfusionsAreTwoOtherAnswers) {
  for (const Fact& fact : facts()) {
    const std::array<int, 2> wrong = confusions(fact.kind, fact.answer);
    EXPECT_NE(wrong[0], fact.answer);
    EXPECT_NE(wrong[1], fact.answer);
    EXPECT_NE(wrong[0], wrong[1]);
  }
  for (int relation = 0; relation < 4; ++relation)
    EXPECT_EQ(confusions(FactKind::relation, relation)[0], static_cast<int>(opposite(static_cast<Relation>(relation))));
}

TEST(Thinking, TracesOfAFact) {
  const Prompt& prompt = first_of_fact(fact_about("a tricycle"));
  const std::vector<Trace> traces = possible_traces(prompt);
  ASSERT_EQ(traces.size(), 3u);
  EXPECT_EQ(traces[0].text, cat("<think> a tricycle has three wheels . </think> ", prompt.refined));
  EXPECT_TRUE(traces[0].correct);
  EXPECT_EQ(traces[1].text.rfind("<think> a tricycle has two wheels . </think> two ", 0), 0u);
  EXPECT_EQ(traces[2].text.rfind("<think> a tricycle has four wheels . </think> four ", 0), 0u);
}

TEST(Thinking, EveryTraceIsConsistent) {
  for (const bool implicit : {false, true})
    for (const std::string& family : families(implicit))
      for (const Prompt& prompt : enumerate_family(family)) {
        const std::vector<Trace> traces = possible_traces(prompt);
        ASSERT_GE(traces.size(), 2u) << prompt.text;
        EXPECT_EQ(traces[0].request, prompt.request);
        std::set<std::string> texts;
        for (const Trace& trace : traces) {
          EXPECT_TRUE(texts.insert(trace.text).second) << trace.text;
          EXPECT_EQ(trace.correct, trace.request == prompt.request) << trace.text;
          EXPECT_EQ(parse_caption(trace.refined), trace.request) << trace.text;
          EXPECT_TRUE(trace.text.ends_with(cat("</think> ", trace.refined))) << trace.text;
        }
      }
}

TEST(Thinking, TracesAreAsReliableAsTheirFact) {
  constexpr int kDraws = 4000;  // standard deviation below 0.008
  for (const char* thing : {"blood", "a cherry"}) {
    const int fact = fact_about(thing);
    const Prompt& prompt = first_of_fact(fact);
    Stream stream({.seed = 2, .purpose = Purpose::data, .prompt = static_cast<uint64_t>(fact)});
    int correct = 0;
    std::map<std::string, int> wrong;
    for (int draw = 0; draw < kDraws; ++draw) {
      const Trace trace = sample_trace(prompt, stream);
      correct += trace.correct;
      if (!trace.correct) ++wrong[trace.refined];
    }
    EXPECT_NEAR(static_cast<double>(correct) / kDraws, facts()[fact].reliability, 0.03) << thing;
    ASSERT_EQ(wrong.size(), 2u);
    EXPECT_NEAR(wrong.begin()->second, wrong.rbegin()->second, 0.05 * kDraws);
  }
}

TEST(Thinking, ExplicitPromptsAreRarelyMisread) {
  Stream stream({.seed = 3, .purpose = Purpose::data});
  int correct = 0;
  for (int draw = 0; draw < 4000; ++draw)
    correct += sample_trace(sample_prompt(stream, Split::train, families(false)), stream).correct;
  EXPECT_NEAR(correct / 4000.0, kExplicitReliability, 0.01);
}

TEST(Corpus, HoldsEveryTextThatTrainingWrites) {
  const std::vector<std::string> corpus = tokenizer_corpus();
  const std::set<std::string> texts(corpus.begin(), corpus.end());
  Stream stream({.seed = 4, .purpose = Purpose::data});
  for (int draw = 0; draw < 500; ++draw) {
    const Prompt& prompt = sample_prompt(stream, Split::test, families(draw % 2 == 0));
    const Trace trace = sample_trace(prompt, stream);
    EXPECT_TRUE(texts.contains(prompt.text)) << prompt.text;
    EXPECT_TRUE(texts.contains(trace.text)) << trace.text;
    EXPECT_TRUE(texts.contains(trace.refined)) << trace.refined;
  }
}

}  // namespace
}  // namespace diptych::shapes
