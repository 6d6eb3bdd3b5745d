#include "diptych/tensor/torch.h"

#include "diptych/rollout/text_sampler.h"

#include <gtest/gtest.h>

#include <set>

#include "diptych/model/bagel/text_head.h"
#include "support/compare.h"
#include "support/tiny_model.h"

namespace diptych {
namespace {

struct Sampled {
  std::vector<SampledText> texts;
  std::vector<CachedContext> contexts;
};

class TextSamplerTest : public ::testing::Test {
 protected:
  Bagel model_ = tiny_bagel();
  TextSampling sampling_{.max_tokens = 9};

  static std::vector<int64_t> prompt(uint64_t number) {
    std::vector<int64_t> ids = {0};  // im_start
    for (uint64_t k = 0; k < 3 + 2 * number; ++k) ids.push_back(static_cast<int64_t>(10 + (7 * k + 3 * number) % 80));
    return ids;
  }
  static StreamKey key(uint64_t number) { return {.seed = 11, .purpose = Purpose::think, .sample = number}; }

  /** Samples behind the prompts of those numbers, all in one batch. */
  Sampled sample(const std::vector<uint64_t>& members) {
    KvCache cache = make_cache(model_);
    std::vector<std::vector<int64_t>> prompts;
    std::vector<StreamKey> keys;
    for (const uint64_t number : members) {
      prompts.push_back(prompt(number));
      keys.push_back(key(number));
    }
    Sampled result;
    result.contexts.resize(members.size());
    prefill(model_, cache, text_chains(prompts), result.contexts);
    result.texts = sample_texts(model_, cache, result.contexts, sampling_, keys);
    return result;
  }

  /** Final hidden rows of prompt and sampled segment in one pass without a cache. */
  Tensor replayed(uint64_t number, const SampledText& text) {
    at::NoGradGuard no_grad;
    std::vector<Segment> segments = {text_segment(prompt(number), -1, 0)};
    segments.push_back(text_segment(segment_ids(text, model_.special), 0, next_position(segments[0])));
    const PackOutput output = forward(model_, segments);
    return output.und.narrow(0, output.layout.segments[1].text_begin, static_cast<int64_t>(text.tokens.size()));
  }
};

void expect_equal(const SampledText& actual, const SampledText& expected) {
  EXPECT_EQ(actual.tokens, expected.tokens);
  EXPECT_EQ(actual.logprobs, expected.logprobs);  // bit for bit
  EXPECT_EQ(actual.truncated, expected.truncated);
}

TEST_F(TextSamplerTest, TextsDoNotDependOnTheBatch) {
  sampling_.max_tokens = 14;
  const std::vector<uint64_t> all = {0, 1, 2, 3, 4, 5, 6, 7};
  const Sampled together = sample(all);
  for (const uint64_t number : all) expect_equal(sample({number}).texts[0], together.texts[number]);
  const Sampled others = sample({6, 2, 4});
  expect_equal(others.texts[1], together.texts[2]);
  std::set<std::vector<int64_t>> different;
  for (const SampledText& text : together.texts) different.insert(text.tokens);
  EXPECT_GT(different.size(), 4u);
}

TEST_F(TextSamplerTest, EachChainOfAGroupHasItsOwnDraws) {
  KvCache cache = make_cache(model_);
  std::vector<CachedContext> contexts(1);
  prefill(model_, cache, text_chains({prompt(1)}), contexts);
  contexts.push_back(contexts[0]);  // shares the rows of the prompt
  const std::vector<SampledText> texts = sample_texts(model_, cache, contexts, sampling_, {key(1), key(2)});
  expect_equal(texts[0], sample({1}).texts[0]);
  EXPECT_NE(texts[0].tokens, texts[1].tokens);
}

TEST_F(TextSamplerTest, TemperatureZeroTakesTheMostProbableToken) {
  sampling_.temperature = 0;
  for (const uint64_t number : {0, 3}) {
    const SampledText text = sample({number}).texts[0];
    const Tensor scores = logits(model_, replayed(number, text));
    const Tensor best = scores.argmax(1);
    const Tensor logprobs = scores.log_softmax(1);
    for (size_t k = 0; k < text.tokens.size(); ++k) {
      const auto row = static_cast<int64_t>(k);
      EXPECT_EQ(text.tokens[k], best[row].item<int64_t>());
      EXPECT_NEAR(text.logprobs[k], logprobs[row][text.tokens[k]].item<double>(), 1e-5);
    }
  }
}

TEST_F(TextSamplerTest, LogprobsAreThoseOfTheTrainingPass) {
  for (const double temperature : {1.0, 0.5, 1.7}) {
    sampling_.temperature = temperature;
    const SampledText text = sample({2}).texts[0];
    const Tensor expected =
        token_logprobs(replayed(2, text), model_.lm_head, at::tensor(text.tokens, at::kLong), temperature);
    EXPECT_TRUE(close(at::tensor(text.logprobs, at::kDouble).to(at::kFloat), expected, {.absolute = 1e-5}));
  }
}

TEST_F(TextSamplerTest, LogprobsAreOfTheWholeVocabularyWhateverMayBeSampled) {
  sampling_.temperature = 1.3;
  for (const auto& [top_p, top_k] : {std::pair{0.5, 0}, std::pair{1.0, 3}}) {
    sampling_.top_p = top_p;
    sampling_.top_k = top_k;
    const SampledText text = sample({2}).texts[0];
    const Tensor expected =
        token_logprobs(replayed(2, text), model_.lm_head, at::tensor(text.tokens, at::kLong), sampling_.temperature);
    EXPECT_TRUE(close(at::tensor(text.logprobs, at::kDouble).to(at::kFloat), expected, {.absolute = 1e-5}));
  }
}

TEST_F(TextSamplerTest, TheCapClosesTheTextWithoutAnAction) {
  sampling_.max_tokens = 3;
  // Without a chance to end by itself.
  model_.lm_head.weight.narrow(0, model_.special.im_end, 1).zero_();
  sampling_.temperature = 0;
  const Sampled sampled = sample({0, 1});
  for (size_t i = 0; i < 2; ++i) {
    const SampledText& text = sampled.texts[i];
    ASSERT_EQ(text.tokens.size(), 3u);
    EXPECT_EQ(text.logprobs.size(), 3u);
    EXPECT_TRUE(text.truncated);
    const std::vector<int64_t> ids = segment_ids(text, model_.special);
    ASSERT_EQ(ids.size(), 5u);
    EXPECT_EQ(ids.front(), model_.special.im_start);
    EXPECT_EQ(ids.back(), model_.special.im_end);
    const auto prompt_length = static_cast<int64_t>(prompt(i).size());
    EXPECT_EQ(sampled.contexts[i].position, prompt_length + 5);
    EXPECT_EQ(static_cast<int64_t>(sampled.contexts[i].rows.size()), prompt_length + 5);
  }
}

TEST_F(TextSamplerTest, TheContextHoldsTheWholeSegment) {
  at::NoGradGuard no_grad;
  for (const int64_t cap : {2, 40}) {
    sampling_.max_tokens = cap;
    KvCache cache = make_cache(model_);
    std::vector<CachedContext> contexts(1);
    prefill(model_, cache, text_chains({prompt(1)}), contexts);
    const SampledText text = sample_texts(model_, cache, contexts, sampling_, {key(1)})[0];
    std::vector<Segment> segments = {text_segment(prompt(1), -1, 0)};
    segments.push_back(text_segment(segment_ids(text, model_.special), 0, next_position(segments[0])));
    EXPECT_EQ(contexts[0].position, next_position(segments[1]));
    // Keys and values of the decoded rows are those of a prefill of the same ids.
    KvCache prefilled = make_cache(model_);
    const PackOutput output = forward(model_, segments, &prefilled);
    std::vector<int64_t> rows = cache_rows(output, 0);
    for (int64_t row : cache_rows(output, 1)) rows.push_back(row);
    for (size_t layer = 0; layer < cache.keys.size(); ++layer) {
      EXPECT_TRUE(close(cache.keys[layer].index_select(0, at::tensor(contexts[0].rows, at::kLong)),
                        prefilled.keys[layer].index_select(0, at::tensor(rows, at::kLong)), {.normalised = 1e-5}));
      EXPECT_TRUE(close(cache.values[layer].index_select(0, at::tensor(contexts[0].rows, at::kLong)),
                        prefilled.values[layer].index_select(0, at::tensor(rows, at::kLong)), {.normalised = 1e-5}));
    }
  }
}

TEST_F(TextSamplerTest, ASampledEndIsAnAction) {
  // The end marker becomes by far the most probable token.
  const Tensor hidden = replayed(0, SampledText{.tokens = {5}, .logprobs = {0}, .truncated = true});
  model_.lm_head.weight.select(0, model_.special.im_end).copy_(hidden[0] * 100);
  const Sampled sampled = sample({0});
  EXPECT_EQ(sampled.texts[0].tokens, std::vector<int64_t>{model_.special.im_end});
  EXPECT_FALSE(sampled.texts[0].truncated);
  EXPECT_EQ(segment_ids(sampled.texts[0], model_.special),
            (std::vector<int64_t>{model_.special.im_start, model_.special.im_end}));
  EXPECT_EQ(sampled.contexts[0].position, static_cast<int64_t>(prompt(0).size()) + 2);
}

}  // namespace
}  // namespace diptych
