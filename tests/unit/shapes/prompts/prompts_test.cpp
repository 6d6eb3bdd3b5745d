#include "diptych/shapes/prompts/prompts.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <iterator>
#include <map>
#include <set>
#include <sstream>

#include "diptych/base/error.h"
#include "diptych/shapes/prompts/facts.h"
#include "diptych/shapes/world/caption.h"

namespace diptych::shapes {
namespace {

std::vector<std::string> all_families() {
  std::vector<std::string> names = families(false);
  names.insert(names.end(), families(true).begin(), families(true).end());
  return names;
}

std::set<std::string> words_of(const std::string& text) {
  std::istringstream stream(text);
  return {std::istream_iterator<std::string>(stream), {}};
}

const Prompt& find_text(const std::string& text) {
  for (const std::string& family : all_families())
    for (const Split split : {Split::train, Split::validation, Split::test})
      for (const Prompt& prompt : all_prompts(split, family))
        if (prompt.text == text) return prompt;
  throw std::out_of_range(text);
}

TEST(Prompts, ExamplesOfTheFamilies) {
  const auto expect = [](const char* text, const char* family, const char* reasoning, const char* refined) {
    const Prompt& prompt = find_text(text);
    EXPECT_EQ(prompt.family, family);
    EXPECT_EQ(prompt.reasoning, reasoning);
    EXPECT_EQ(prompt.refined, refined);
    EXPECT_EQ(prompt.implicit, prompt.fact >= 0);
  };
  expect("a photo of a circle", "single_object", "this needs one circle .", "a circle");
  expect("a photo of three crosses", "counting", "this needs three crosses .", "three crosses");
  expect("a photo of a circle left of a square", "position", "this needs one circle left of one square .",
         "a circle left of a square");
  expect("a photo of a red circle and an orange square", "color_attr",
         "this needs one red circle and one orange square .", "a red circle and an orange square");
  expect("a photo of a circle in the color of grass", "implicit_color", "grass is green .", "a green circle");
  expect("a photo of as many squares as a tricycle has wheels", "implicit_count", "a tricycle has three wheels .",
         "three squares");
  expect("a photo of as many red squares as a unicorn has horns", "implicit_count", "a unicorn has one horn .",
         "a red square");
  expect("a photo of a red object shaped like a donut", "implicit_shape", "a donut is shaped like a ring .",
         "a red ring");
  expect("a photo of a circle that has a square to its left", "reversed_position", "the square is left of the circle .",
         "a square left of a circle");
}

TEST(Prompts, EveryPromptIsSound) {
  std::set<std::string> texts;
  for (const std::string& family : all_families())
    for (const Prompt& prompt : enumerate_family(family)) {
      EXPECT_TRUE(texts.insert(prompt.text).second) << prompt.text;
      EXPECT_EQ(prompt.family, family);
      EXPECT_EQ(prompt.refined, caption(prompt.request));
      int objects = 0;
      for (const Clause& clause : prompt.request.clauses) objects += clause.count;
      EXPECT_GE(objects, 1);
      EXPECT_LE(objects, 4);
      EXPECT_LE(words_of(prompt.reasoning).size(), 10u);
    }
}

TEST(Prompts, SplitsAreDisjointInTextAndCombination) {
  std::map<std::string, Split> text_owner;
  std::map<std::string, Split> combination_owner;
  size_t counted = 0;
  size_t enumerated = 0;
  for (const std::string& family : all_families()) {
    enumerated += enumerate_family(family).size();
    for (const Split split : {Split::train, Split::validation, Split::test})
      for (const Prompt& prompt : all_prompts(split, family)) {
        ++counted;
        EXPECT_TRUE(text_owner.emplace(prompt.text, split).second) << prompt.text;
        EXPECT_EQ(combination_owner.emplace(combination(prompt), split).first->second, split) << combination(prompt);
      }
  }
  EXPECT_EQ(counted, enumerated);
}

TEST(Prompts, EverySplitHasEveryFamilyAndMostIsTrain) {
  size_t total = 0;
  std::map<Split, size_t> sizes;
  for (const std::string& family : all_families())
    for (const Split split : {Split::train, Split::validation, Split::test}) {
      EXPECT_FALSE(all_prompts(split, family).empty()) << family;
      sizes[split] += all_prompts(split, family).size();
      total += all_prompts(split, family).size();
    }
  EXPECT_NEAR(sizes[Split::train], 0.7 * total, 0.02 * total);
  EXPECT_NEAR(sizes[Split::validation], 0.15 * total, 0.02 * total);
}

TEST(Prompts, TrainKnowsEveryWordAndFact) {
  std::set<std::string> train_words;
  std::set<int> train_facts;
  for (const std::string& family : all_families())
    for (const Prompt& prompt : all_prompts(Split::train, family)) {
      train_words.merge(words_of(prompt.text + ' ' + prompt.reasoning + ' ' + prompt.refined));
      train_facts.insert(prompt.fact);
    }
  EXPECT_EQ(train_facts.size(), facts().size() + 1);  // and -1, no fact
  for (const std::string& family : all_families())
    for (const Prompt& prompt : enumerate_family(family))
      for (const std::string& word : words_of(prompt.text + ' ' + prompt.reasoning + ' ' + prompt.refined))
        EXPECT_TRUE(train_words.contains(word)) << word;
}

TEST(Prompts, SamplesComeFromTheSplit) {
  std::set<std::string> validation;
  for (const Prompt& prompt : all_prompts(Split::validation, "colors")) validation.insert(prompt.text);
  std::set<std::string> seen;
  Stream stream({.seed = 5, .purpose = Purpose::data});
  for (int draw = 0; draw < 300; ++draw) seen.insert(sample_prompt(stream, Split::validation, {"colors"}).text);
  EXPECT_EQ(seen, validation);

  std::map<std::string, int> per_family;
  for (int draw = 0; draw < 3000; ++draw) ++per_family[sample_prompt(stream, Split::train, families(true)).family];
  for (const std::string& family : families(true)) EXPECT_NEAR(per_family[family], 750, 150) << family;
}

TEST(Prompts, PoolsAreBalancedAndRepeatOnlyWhenUsedUp) {
  for (const Split split : {Split::train, Split::validation, Split::test})
    for (const bool implicit : {false, true}) {
      const std::vector<Prompt> pool = evaluation_pool(split, implicit, 512, 1);
      ASSERT_EQ(pool.size(), 512u);
      std::map<std::string, std::map<std::string, int>> uses;
      for (const Prompt& prompt : pool) ++uses[prompt.family][prompt.text];
      for (const std::string& family : families(implicit)) {
        int total = 0;
        int most = 0;
        for (const auto& [text, count] : uses[family]) {
          total += count;
          most = std::max(most, count);
        }
        const int unique = static_cast<int>(all_prompts(split, family).size());
        EXPECT_NEAR(total, 512.0 / families(implicit).size(), 1) << family;
        EXPECT_EQ(most, (total + unique - 1) / unique) << family;
      }
    }
}

TEST(Prompts, PoolsFollowTheSeed) {
  const auto texts = [](uint64_t seed) {
    std::vector<std::string> list;
    for (const Prompt& prompt : evaluation_pool(Split::test, true, 64, seed)) list.push_back(prompt.text);
    return list;
  };
  EXPECT_EQ(texts(1), texts(1));
  EXPECT_NE(texts(1), texts(2));
}

TEST(Prompts, UnknownFamilyIsAConfigError) {
  try {
    all_prompts(Split::train, "texture");
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ExitCode::config);
    EXPECT_NE(std::string(error.what()).find("implicit_color"), std::string::npos);
  }
}

}  // namespace
}  // namespace diptych::shapes
