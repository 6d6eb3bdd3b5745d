#include "diptych/tensor/torch.h"

#include "diptych/train/loops/supervised_pack.h"

#include <gtest/gtest.h>

#include "diptych/rollout/context.h"
#include "diptych/tensor/image_tensor.h"
#include "support/compare.h"
#include "support/pictures.h"
#include "support/temporary_folder.h"
#include "support/tiny_model.h"

namespace diptych {
namespace {

SupervisedExample plain(const std::string& prompt, uint8_t tone) {
  return {.prompt = prompt, .thinking = std::nullopt, .sources = {}, .image = picture(32, 32, tone)};
}

SupervisedExample thinking(const std::string& prompt, uint8_t tone) {
  SupervisedExample example = plain(prompt, tone);
  example.thinking = "<think> two </think> two squares";
  return example;
}

class SupervisedPackTest : public ::testing::Test {
 protected:
  SupervisedPack pack(const std::vector<SupervisedExample>& examples, uint64_t step = 3) const {
    return make_supervised_pack(made_.model, made_.tokenizer, examples, options_, /*seed=*/2, step);
  }

  TemporaryFolder folder_;
  const ModelFolder made_ = make_tiny_model(folder_.path());
  SupervisedOptions options_{.system_prompt = "", .text_dropout = 0, .timestep_shift = 1};
};

void expect_equal(const SupervisedPack& actual, const SupervisedPack& expected) {
  ASSERT_EQ(actual.segments.size(), expected.segments.size());
  for (size_t i = 0; i < actual.segments.size(); ++i) {
    const Segment &a = actual.segments[i], &e = expected.segments[i];
    EXPECT_EQ(a.kind, e.kind);
    EXPECT_EQ(a.parent, e.parent);
    EXPECT_EQ(a.position, e.position);
    EXPECT_EQ(a.tokens, e.tokens);
    EXPECT_EQ(a.time, e.time);
    if (e.content.defined()) {
      EXPECT_TRUE(same_bits(a.content, e.content));
    }
  }
  ASSERT_EQ(actual.flow_targets.size(), expected.flow_targets.size());
  for (size_t i = 0; i < actual.flow_targets.size(); ++i)
    EXPECT_TRUE(same_bits(actual.flow_targets[i].second, expected.flow_targets[i].second));
  EXPECT_EQ(actual.text_targets, expected.text_targets);
}

TEST_F(SupervisedPackTest, DrawsAreReproducibleAndAddressed) {
  const std::vector<SupervisedExample> examples = {plain("a red circle", 10), thinking("two squares", 90)};
  const SupervisedPack first = pack(examples);
  expect_equal(pack(examples), first);
  const SupervisedPack later = pack(examples, 4);
  for (size_t i = 0; i < 2; ++i) {
    EXPECT_NE(later.segments[later.flow_targets[i].first].time, first.segments[first.flow_targets[i].first].time);
    EXPECT_FALSE(same_bits(later.flow_targets[i].second, first.flow_targets[i].second));
  }
  EXPECT_NE(first.segments[first.flow_targets[0].first].time, first.segments[first.flow_targets[1].first].time);
  // Example 0 does not depend on what else is in the batch.
  expect_equal(pack({examples[0]}), [&] {
    SupervisedPack alone = first;
    alone.segments.resize(2);
    alone.flow_targets.resize(1);
    alone.text_targets.clear();
    return alone;
  }());
}

TEST_F(SupervisedPackTest, SegmentsStandInTheOrderOfTheModel) {
  SupervisedExample edit = thinking("make it red", 10);
  edit.sources = {picture(16, 24, 50)};
  options_.system_prompt = "think";
  const SupervisedPack made = pack({edit, plain("a circle", 3)});
  using Kind = SegmentKind;
  const std::vector<Kind> kinds = {Kind::text, Kind::clean_latent, Kind::vit_image, Kind::text,
                                   Kind::text, Kind::noisy_latent, Kind::text,      Kind::noisy_latent};
  ASSERT_EQ(made.segments.size(), kinds.size());
  const std::vector<int64_t> system = text_ids(made_.tokenizer, "think");
  const std::vector<int64_t> prompt = text_ids(made_.tokenizer, "make it red");
  const std::vector<int64_t> thought = text_ids(made_.tokenizer, *edit.thinking);
  const auto first = static_cast<int64_t>(system.size()), words = static_cast<int64_t>(prompt.size()),
             thoughts = static_cast<int64_t>(thought.size());
  const std::vector<int64_t> parents = {-1, 0, 1, 2, 3, 4, -1, 6};
  const std::vector<int64_t> positions = {
      0, first, first + 1, first + 2, first + 2 + words, first + 2 + words + thoughts, 0};
  for (size_t i = 0; i < kinds.size(); ++i) {
    EXPECT_EQ(made.segments[i].kind, kinds[i]) << i;
    EXPECT_EQ(made.segments[i].parent, parents[i]) << i;
    if (i < positions.size()) {
      EXPECT_EQ(made.segments[i].position, positions[i]) << i;
    }
  }
  EXPECT_EQ(made.segments[0].tokens, system);
  EXPECT_EQ(made.segments[1].grid_height, 2);
  EXPECT_EQ(made.segments[1].grid_width, 3);
  EXPECT_EQ(made.segments[2].grid_height, 4);
  EXPECT_EQ(made.segments[2].grid_width, 6);
  EXPECT_EQ(made.segments[3].tokens, prompt);
  EXPECT_EQ(made.segments[4].tokens, thought);
  EXPECT_EQ(made.segments[5].grid_height, 4);
  EXPECT_EQ(made.segments[6].tokens, text_ids(made_.tokenizer, "a circle"));  // no system prompt without a thought
  // Labels are the tokens shifted by one, the closing marker included.
  ASSERT_EQ(made.text_targets.size(), 1u);
  EXPECT_EQ(made.text_targets[0].first, 4);
  EXPECT_EQ(made.text_targets[0].second, std::vector<int64_t>(thought.begin() + 1, thought.end()));
}

TEST_F(SupervisedPackTest, NoisyStatesLieBetweenImageAndNoise) {
  for (const double shift : {1.0, 4.0}) {
    options_.timestep_shift = shift;
    const SupervisedPack made = pack({plain("a", 10)});
    const Segment& noisy = made.segments[made.flow_targets[0].first];
    const Tensor& target = made.flow_targets[0].second;  // noise - clean
    StreamKey key{.seed = 2, .purpose = Purpose::flow_noise, .step = 3, .sample = 0};
    const Tensor noise = patchify_latent(normal_tensor(key, {4, 8, 8}), 2);
    EXPECT_TRUE(close(noisy.content, (noise - target) * (1 - noisy.time) + noise * noisy.time, {.normalised = 1e-6}));
    key.purpose = Purpose::flow_time;
    const double uniform = 1 / (1 + std::exp(-Stream(key).normal()));
    EXPECT_DOUBLE_EQ(noisy.time, shift * uniform / (1 + (shift - 1) * uniform));
  }
}

TEST_F(SupervisedPackTest, DropoutRemovesTheTextAndItsTargets) {
  std::vector<SupervisedExample> examples;
  for (int i = 0; i < 40; ++i) examples.push_back(thinking("two squares", static_cast<uint8_t>(i)));
  SupervisedExample edit = thinking("make it red", 10);
  edit.sources = {picture(32, 32, 50)};
  examples.push_back(edit);
  options_.text_dropout = 1;
  const SupervisedPack none = pack(examples);
  EXPECT_TRUE(none.text_targets.empty());
  EXPECT_EQ(none.flow_targets.size(), 41u);
  EXPECT_EQ(none.segments.size(), 43u);  // noisy images, and the source of the last one twice
  EXPECT_EQ(none.segments[0].parent, -1);
  EXPECT_EQ(none.segments[0].position, 0);
  EXPECT_EQ(none.segments[42].parent, 41);
  EXPECT_EQ(none.segments[42].position, 2);

  options_.text_dropout = 0.4;
  const SupervisedPack some = pack(examples);
  EXPECT_EQ(some.flow_targets.size(), 41u);
  EXPECT_GT(some.text_targets.size(), 15u);
  EXPECT_LT(some.text_targets.size(), 35u);
  // A thought without an image is never dropped: there would be nothing left to learn.
  SupervisedExample thought_alone = thinking("two squares", 0);
  thought_alone.image.reset();
  options_.text_dropout = 1;
  EXPECT_EQ(pack({thought_alone}).text_targets.size(), 1u);
}

TEST_F(SupervisedPackTest, ImagesAreResizedToTheModelsGrid) {
  SupervisedExample large = plain("a", 10);
  large.image = picture(50, 64, 20);  // the longest side is 32
  const Segment noisy = pack({large}).segments[1];
  EXPECT_EQ(noisy.grid_width, 4);
  EXPECT_EQ(noisy.grid_height, 3);  // 25 pixels, rounded to the stride of 8
}

TEST_F(SupervisedPackTest, LossIsTheMeanOverTokensAndElements) {
  at::NoGradGuard no_grad;
  const SupervisedPack made = pack({thinking("two squares", 90), plain("a red circle", 10), thinking("a", 1)});
  const SupervisedLoss loss = supervised_loss(made_.model, made, 0.5, 2, count_targets(made));
  const PackOutput output = forward(made_.model, made.segments);
  double entropy = 0, tokens = 0;
  for (const auto& [segment, labels] : made.text_targets) {
    const int64_t begin = output.layout.segments[segment].text_begin;
    const Tensor scores = logits(made_.model, output.und).to(at::kDouble).log_softmax(1);
    for (size_t k = 0; k < labels.size(); ++k) {
      entropy -= scores[begin + static_cast<int64_t>(k)][labels[k]].item<double>();
      tokens += 1;
    }
  }
  std::vector<Tensor> errors;
  for (const auto& [segment, target] : made.flow_targets) {
    const SegmentRows& rows = output.layout.segments[segment];
    const Tensor latent = output.latent.narrow(0, rows.content_begin - output.layout.und_rows(), rows.content_count);
    errors.push_back((velocity(made_.model, latent) - target).square().to(at::kDouble));
  }
  const double flow = at::cat(errors).mean().item<double>();
  EXPECT_NEAR(loss.cross_entropy, entropy / tokens, 1e-5);
  EXPECT_NEAR(loss.flow, flow, 1e-5);
  EXPECT_NEAR(loss.total.item<double>(), 0.5 * entropy / tokens + 2 * flow, 1e-5);
}

TEST_F(SupervisedPackTest, PartsOfABatchAddUpToIt) {
  const at::NoGradGuard no_grad;
  options_.text_dropout = 0.5;
  const std::vector<SupervisedExample> batch = {thinking("two squares", 90), plain("a red circle", 10),
                                                thinking("a", 1), plain("a ring", 40)};
  const SupervisedPack whole = pack(batch);
  const SupervisedTargets targets = count_targets(whole);
  const SupervisedLoss expected = supervised_loss(made_.model, whole, 0.5, 2, targets);
  double total = 0, entropy = 0;
  for (const auto& [begin, end] : {std::pair{0, 1}, {1, 4}}) {
    const SupervisedPack part =
        make_supervised_pack(made_.model, made_.tokenizer, {batch.begin() + begin, batch.begin() + end}, options_,
                             /*seed=*/2, /*step=*/3, static_cast<uint64_t>(begin));
    const SupervisedLoss loss = supervised_loss(made_.model, part, 0.5, 2, targets);
    total += loss.total.item<double>();
    entropy += loss.cross_entropy;
  }
  EXPECT_NEAR(total, expected.total.item<double>(), 1e-5);
  EXPECT_NEAR(entropy, expected.cross_entropy, 1e-5);
}

}  // namespace
}  // namespace diptych
