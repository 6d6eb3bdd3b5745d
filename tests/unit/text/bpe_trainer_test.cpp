#include "diptych/text/bpe_trainer.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>

#include "diptych/text/tokenizer.h"

namespace diptych {
namespace {

using Ids = std::vector<int64_t>;
using Merges = std::vector<std::pair<std::string, std::string>>;
using std::filesystem::path;

const std::vector<std::string> kCorpus = {
    "a photo of three red circles", "a photo of two blue squares", "<think> a tricycle has three wheels . </think>",
    "a red circle left of a blue square", "three green triangles and one red circle"};

class TokenizerFolder : public testing::Test {
 protected:
  void TearDown() override { std::filesystem::remove_all(folder_); }
  path folder_ = path(testing::TempDir()) / ("tokenizer_" + std::to_string(getpid()));
};

TEST(TrainBpe, MergesTheMostFrequentPair) {
  const BpeModel model = train_bpe({"abab ab", "cd"}, 2);
  EXPECT_EQ(model.merges, (Merges{{"a", "b"}}));  // (a, b) 3 times, then no pair twice
  ASSERT_EQ(model.vocab.size(), 257U);
  EXPECT_EQ(model.vocab.back(), "ab");
}

TEST(TrainBpe, BreaksTiesByTheSpellingOfThePair) {
  EXPECT_EQ(train_bpe({"xy xy ba ba"}, 1).merges, (Merges{{"b", "a"}}));
  EXPECT_EQ(train_bpe({"ac\nac\nab\nab"}, 1).merges, (Merges{{"a", "b"}}));
}

TEST(TrainBpe, CountsPairsAcrossMergesAndSpellsSpaces) {
  // "\n" separates pieces: aaab three times; (a, a) is counted at each of its places, then (aa, a) and (a, b) tie.
  EXPECT_EQ(train_bpe({"aaab\naaab\naaab"}, 3).merges, (Merges{{"a", "a"}, {"a", "b"}, {"aa", "ab"}}));
  EXPECT_EQ(train_bpe({"1 x 1 x"}, 1).merges, (Merges{{"\u0120", "x"}}));
}

TEST(TrainBpe, DoesNotDependOnTheOrderOfTheCorpus) {
  std::vector<std::string> reversed = kCorpus;
  std::reverse(reversed.begin(), reversed.end());
  const BpeModel model = train_bpe(kCorpus, 30);
  const BpeModel other = train_bpe(reversed, 30);
  EXPECT_EQ(model.merges.size(), 30U);
  EXPECT_EQ(model.vocab, other.vocab);
  EXPECT_EQ(model.merges, other.merges);
}

TEST(TrainBpe, KeepsTheBytesWithoutACorpus) {
  const BpeModel model = train_bpe({}, 10);
  EXPECT_EQ(model.vocab.size(), 256U);
  EXPECT_EQ(model.vocab.front(), "!");
  EXPECT_TRUE(model.merges.empty());
}

TEST_F(TokenizerFolder, RoundTripsWhatTheTrainerWrote) {
  const BpeModel model = train_bpe(kCorpus, 60);
  write_tokenizer_files(folder_, model);
  const Tokenizer tokenizer = Tokenizer::load(folder_);

  const auto base = static_cast<int64_t>(model.vocab.size());
  EXPECT_EQ(tokenizer.size(), base + 5);
  EXPECT_EQ(tokenizer.endoftext(), base);
  EXPECT_EQ(tokenizer.im_start(), base + 1);
  EXPECT_EQ(tokenizer.im_end(), base + 2);
  EXPECT_EQ(tokenizer.vision_start(), base + 3);
  EXPECT_EQ(tokenizer.vision_end(), base + 4);
  for (int64_t id = 0; id < base; ++id) EXPECT_EQ(tokenizer.token(id), model.vocab[static_cast<std::size_t>(id)]);

  const std::string unseen = "unseen: \u4e2d\u6587 \U0001F600\r\n\t {\"x\": [1, 2]} \\ \x7f";
  for (const std::string& text : kCorpus) EXPECT_EQ(tokenizer.decode(tokenizer.encode(text)), text);
  EXPECT_EQ(tokenizer.decode(tokenizer.encode(unseen)), unseen);
  EXPECT_LT(tokenizer.encode(kCorpus[0]).size(), kCorpus[0].size() / 2);
}

TEST_F(TokenizerFolder, TokenizerJsonAloneGivesTheSameIds) {
  write_tokenizer_files(folder_, train_bpe(kCorpus, 60));
  const Tokenizer both = Tokenizer::load(folder_);
  for (const char* name : {"vocab.json", "merges.txt", "tokenizer_config.json"}) {
    std::filesystem::remove(folder_ / name);
  }
  const Tokenizer alone = Tokenizer::load(folder_);
  for (const std::string& text : kCorpus)
    EXPECT_EQ(alone.encode(text + "<|im_end|>"), both.encode(text + "<|im_end|>"));
}

}  // namespace
}  // namespace diptych
