#include <gtest/gtest.h>

#include <array>
#include <map>
#include <set>
#include <sstream>

#include "diptych/base/error.h"
#include "diptych/data/example.h"
#include "diptych/shapes/examples/corpus.h"
#include "diptych/shapes/prompts/prompts.h"
#include "diptych/shapes/reflection/reflection.h"
#include "diptych/shapes/verify/verify.h"
#include "diptych/shapes/world/caption.h"
#include "diptych/text/bpe_trainer.h"
#include "diptych/text/byte_alphabet.h"
#include "diptych/text/pretokenizer.h"
#include "diptych/text/think.h"

namespace diptych {
namespace {

constexpr ShapesMixture kNone{0, 0, 0, 0, 0, 0, 0};

std::map<std::string, shapes::Request> training_requests() {
  std::map<std::string, shapes::Request> requests;
  for (const bool implicit : {false, true})
    for (const std::string& family : shapes::families(implicit))
      for (const shapes::Prompt& prompt : shapes::all_prompts(shapes::Split::train, family))
        requests.emplace(prompt.text, prompt.request);
  return requests;
}

enum class Kind { paint, think, question, rating, edit, reflect, review };

Kind kind_of(const SupervisedExample& example) {
  if (example.sources.empty()) return example.thinking ? Kind::think : Kind::paint;
  if (!example.thinking) return Kind::edit;
  if (example.prompt.starts_with("Rate from ") || example.prompt.starts_with("Does the picture show exactly: "))
    return Kind::rating;
  if (*example.thinking == "yes" || *example.thinking == "no") return Kind::question;
  return example.prompt.find(" it is wrong ") != std::string::npos ? Kind::reflect : Kind::review;
}

TEST(ShapesExamples, PicturesFollowTheRefinedPromptOrTheTruth) {
  const shapes::World world;
  const std::map<std::string, shapes::Request> requests = training_requests();
  const ExampleSource source = shapes_examples(
      world, {.paint = 1, .think = 1, .question = 0, .rating = 0, .edit = 0, .reflect = 0, .review = 0}, 3);
  int thinking = 0;
  for (uint64_t index = 0; index < 200; ++index) {
    const SupervisedExample example = source(4, index);
    ASSERT_TRUE(requests.contains(example.prompt)) << example.prompt << " is held out";
    shapes::Request shown = requests.at(example.prompt);
    if (example.thinking) {
      ++thinking;
      const ThinkText parts = parse_think(*example.thinking);
      EXPECT_TRUE(parts.well_formed);
      shown = shapes::parse_caption(parts.answer).value();
    }
    ASSERT_TRUE(example.image.has_value());
    EXPECT_TRUE(shapes::verify(*example.image, shown, world).correct) << example.prompt;
  }
  EXPECT_NEAR(thinking, 100, 30);
}

TEST(ShapesExamples, SharesAreRespected) {
  const ShapesMixture mixture;
  const std::array<double, 7> shares = {mixture.paint, mixture.think,   mixture.question, mixture.rating,
                                        mixture.edit,  mixture.reflect, mixture.review};
  const ExampleSource source = shapes_examples(shapes::World{}, mixture, 1);
  std::map<Kind, int> counts;
  constexpr int kDraws = 6000;
  for (uint64_t index = 0; index < kDraws; ++index) ++counts[kind_of(source(0, index))];
  double sum = 0;
  for (const double share : shares) sum += share;
  for (size_t kind = 0; kind < shares.size(); ++kind)
    EXPECT_NEAR(counts[static_cast<Kind>(kind)] / double(kDraws), shares[kind] / sum, 0.025) << kind;
}

TEST(ShapesExamples, EveryKindHasItsParts) {
  const ExampleSource source = shapes_examples(shapes::World{}, {}, 2);
  for (uint64_t index = 0; index < 500; ++index) {
    const SupervisedExample example = source(0, index);
    const Kind kind = kind_of(example);
    EXPECT_EQ(example.sources.size(), kind == Kind::paint || kind == Kind::think ? 0u : 1u);
    const bool answers_in_words = kind == Kind::question || kind == Kind::rating ||
                                  (kind == Kind::review && shapes::says_done(*example.thinking));
    EXPECT_EQ(example.image.has_value(), !answers_in_words);
    for (const Image& picture : example.sources) EXPECT_EQ(picture.height, shapes::World{}.canvas);
    if (example.image && !example.sources.empty()) {
      EXPECT_NE(example.image->pixels, example.sources[0].pixels);
    }
  }
}

TEST(ShapesExamples, AddressDecides) {
  for (int kind = 0; kind < 7; ++kind) {
    ShapesMixture mixture = kNone;
    double* shares[] = {&mixture.paint, &mixture.think,   &mixture.question, &mixture.rating,
                        &mixture.edit,  &mixture.reflect, &mixture.review};
    *shares[kind] = 0.5;
    const ExampleSource source = shapes_examples(shapes::World{}, mixture, 3);
    for (uint64_t index = 0; index < 20; ++index) {
      const SupervisedExample first = source(1, index);
      source(5, 6);
      const SupervisedExample again = source(1, index);
      EXPECT_EQ(kind_of(first), static_cast<Kind>(kind));
      EXPECT_EQ(again.prompt, first.prompt);
      EXPECT_EQ(again.thinking, first.thinking);
      ASSERT_EQ(again.image.has_value(), first.image.has_value());
      if (first.image) {
        EXPECT_EQ(again.image->pixels, first.image->pixels);
      }
      if (!first.sources.empty()) {
        EXPECT_EQ(again.sources.at(0).pixels, first.sources[0].pixels);
      }
    }
    EXPECT_NE(source(1, 2).prompt + source(1, 3).prompt, source(2, 2).prompt + source(2, 3).prompt);
  }
}

TEST(ShapesExamples, AMixtureOfNothingIsRefused) {
  EXPECT_THROW(shapes_examples(shapes::World{}, kNone, 0), Error);
}

/** The piece as the vocabulary spells it. */
std::string spelling(std::string_view piece) {
  std::string text;
  for (const char byte : piece) text += byte_characters()[static_cast<uint8_t>(byte)];
  return text;
}

std::set<std::string> words_of(const std::string& text) {
  std::istringstream stream(text);
  std::set<std::string> words;
  for (std::string word; stream >> word;) words.insert(word);
  return words;
}

TEST(ShapesCorpus, HoldsEveryWordOfEveryExample) {
  std::set<std::string> known;
  for (const std::string& text : shapes::tokenizer_corpus()) known.merge(words_of(text));
  const ExampleSource source = shapes_examples(shapes::World{}, {}, 5);
  for (uint64_t index = 0; index < 20000; ++index) {
    const SupervisedExample example = source(0, index);
    for (const std::string& word : words_of(example.prompt + " " + example.thinking.value_or("")))
      ASSERT_TRUE(known.contains(word)) << word << " in " << example.prompt;
  }
}

TEST(ShapesCorpus, MakesEveryPieceOfEveryExampleOneToken) {
  const BpeModel model = train_bpe(shapes::tokenizer_corpus(), 540);
  EXPECT_LT(model.merges.size(), 540u) << "all pairs are merged";
  const std::set<std::string> vocabulary(model.vocab.begin(), model.vocab.end());
  const ExampleSource source = shapes_examples(shapes::World{}, {}, 6);
  for (uint64_t index = 0; index < 5000; ++index) {
    const SupervisedExample example = source(0, index);
    for (const std::string& text : {example.prompt, example.thinking.value_or("")})
      for (const std::string_view piece : pretokenize(text))
        ASSERT_TRUE(vocabulary.contains(spelling(piece))) << piece << " in " << text;
  }
}

}  // namespace
}  // namespace diptych
