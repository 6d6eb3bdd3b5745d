#include "diptych/tensor/torch.h"

#include "diptych/rollout/context.h"

#include <gtest/gtest.h>

#include "diptych/model/folder/folder.h"
#include "diptych/tensor/image_tensor.h"
#include "diptych/tensor/random.h"
#include "support/compare.h"
#include "support/pictures.h"
#include "support/temporary_folder.h"
#include "support/tiny_model.h"

namespace diptych {
namespace {

using Chain = std::vector<Segment>;

ContextPart words(const std::string& text) {
  return {text, std::nullopt};
}

ContextPart shown(const Image& image) {
  return {"", image};
}

class ContextTest : public ::testing::Test {
 protected:
  Chain segments(const std::vector<ContextPart>& parts) const {
    return context_segments(made_.model, made_.tokenizer, parts, key_);
  }
  std::vector<int64_t> ids(const std::string& text) const { return text_ids(made_.tokenizer, text); }

  /** Normalised latent of an image, as the autoencoder makes it with the noise of that address. */
  Tensor latent_of(const Image& image, uint64_t position) const {
    at::NoGradGuard no_grad;
    StreamKey key = key_;
    key.purpose = Purpose::posterior;
    key.position = position;
    const Tensor noise = normal_tensor(key, {4, image.height / 4, image.width / 4});
    return encode(made_.model.autoencoder, image_to_tensor(image).unsqueeze(0), noise.unsqueeze(0))[0];
  }

  /** What the model paints in one step behind a context. */
  Tensor seen_from(const CachedContext& context, KvCache& cache) const {
    at::NoGradGuard no_grad;
    std::vector<Segment> noisy = {noisy_segment(numbers(3, {6, 16}), 2, 3, 0.6, -1, context.position)};
    noisy[0].cached = context.rows;
    return forward(made_.model, noisy, &cache, CacheUse::scratch).latent.clone();
  }

  CachedContext prefilled(KvCache& cache, const std::vector<Chain>& calls) const {
    std::vector<CachedContext> contexts(1);
    for (const Chain& chain : calls) prefill(made_.model, cache, {chain}, contexts);
    return contexts[0];
  }

  TemporaryFolder folder_;
  ModelFolder made_ = make_tiny_model(folder_.path());
  const StreamKey key_{.seed = 3, .step = 4, .prompt = 5, .position = 7};
  const Image tall_ = picture(32, 16, 10), wide_ = picture(16, 24, 60);
};

TEST_F(ContextTest, ConsecutiveTextsAreOneSegmentAndImagesAreTwo) {
  const Chain chain = segments({words("look"), words("a circle"), shown(tall_), words("two"), shown(wide_)});
  using Kind = SegmentKind;
  const std::vector<Kind> kinds = {Kind::text, Kind::clean_latent, Kind::vit_image,
                                   Kind::text, Kind::clean_latent, Kind::vit_image};
  std::vector<int64_t> first = ids("look");
  for (const int64_t id : ids("a circle")) first.push_back(id);
  const auto begin = static_cast<int64_t>(first.size()), second = static_cast<int64_t>(ids("two").size());
  const std::vector<int64_t> positions = {0, begin, begin + 1, begin + 2, begin + 2 + second, begin + 3 + second};
  ASSERT_EQ(chain.size(), kinds.size());
  for (size_t i = 0; i < kinds.size(); ++i) {
    EXPECT_EQ(chain[i].kind, kinds[i]) << i;
    EXPECT_EQ(chain[i].parent, static_cast<int64_t>(i) - 1) << i;
    EXPECT_EQ(chain[i].position, positions[i]) << i;
  }
  EXPECT_EQ(chain[0].tokens, first);
  EXPECT_EQ(chain[3].tokens, ids("two"));
  EXPECT_EQ(first.front(), made_.tokenizer.im_start());
  EXPECT_EQ(first.back(), made_.tokenizer.im_end());
  EXPECT_EQ(chain[1].grid_height, 4);
  EXPECT_EQ(chain[1].grid_width, 2);
  EXPECT_EQ(chain[2].grid_height, 8);
  EXPECT_EQ(chain[2].grid_width, 4);
  // Image k of the parts draws at position key.position + k.
  EXPECT_TRUE(same_bits(chain[1].content, patchify_latent(latent_of(tall_, 7), 2)));
  EXPECT_TRUE(same_bits(chain[4].content, patchify_latent(latent_of(wide_, 8), 2)));
  EXPECT_TRUE(same_bits(chain[2].content, patchify_rgb(image_to_tensor(tall_), 4)));
  EXPECT_TRUE(same_bits(chain[5].content, patchify_rgb(image_to_tensor(wide_), 4)));
}

TEST_F(ContextTest, AnImageDoesNotDependOnTheOthers) {
  const std::vector<EncodedImage> together =
      encode_images(made_.model, {tall_, wide_, tall_, wide_}, {key_, key_, {.seed = 9}, {.seed = 9}});
  const std::vector<Image> images = {tall_, wide_, tall_, wide_};
  for (size_t i = 0; i < 4; ++i) {
    const StreamKey key = i < 2 ? key_ : StreamKey{.seed = 9};
    EXPECT_TRUE(same_bits(encode_images(made_.model, {images[i]}, {key})[0].latent, together[i].latent)) << i;
  }
  EXPECT_FALSE(same_bits(together[0].latent, together[2].latent));
}

TEST_F(ContextTest, ImagesAreResizedByTheRuleOfEachTower) {
  made_.model.config.vit_transform = {.max_long = 24, .min_short = 12, .stride = 4};
  const Chain chain = segments({shown(picture(50, 64, 20))});
  EXPECT_EQ(chain[0].grid_width, 4);  // the longest side becomes 32
  EXPECT_EQ(chain[0].grid_height, 3);
  // The ViT sees what the autoencoder sees, 32 x 24, resized again (BAGEL, inferencer.py): 24 x 18, and 18 / 4 rounds
  // to 4.
  EXPECT_EQ(chain[1].grid_width, 6);
  EXPECT_EQ(chain[1].grid_height, 4);
}

TEST_F(ContextTest, AModelWithoutAVitSeesTheLatentAlone) {
  made_.model.vit.reset();
  const Chain chain = segments({shown(wide_), words("two")});
  ASSERT_EQ(chain.size(), 2u);
  EXPECT_EQ(chain[0].kind, SegmentKind::clean_latent);
  EXPECT_EQ(chain[1].position, 1);
}

TEST_F(ContextTest, PrefilledChainsAreWhatTheTrainingPassSees) {
  at::NoGradGuard no_grad;
  const Chain whole = segments({words("look"), shown(tall_), shown(wide_), words("two")});
  Chain pass = whole;
  append_segment(pass, noisy_segment(numbers(3, {6, 16}), 2, 3, 0.6, -1, 0));
  const Tensor latent = forward(made_.model, pass).latent;
  const Tensor expected = latent.narrow(0, latent.size(0) - 6, 6);

  KvCache cache = make_cache(made_.model);
  const CachedContext once = prefilled(cache, {whole});
  EXPECT_EQ(once.position, next_position(whole.back()));
  EXPECT_TRUE(close(seen_from(once, cache), expected, {.normalised = 1e-5}));
  // In two calls: the second chain starts at position 0 and is moved behind the first.
  const Chain head(whole.begin(), whole.end() - 1);
  const CachedContext twice = prefilled(cache, {head, {text_segment(ids("two"), -1, 0)}});
  EXPECT_EQ(twice.position, once.position);
  EXPECT_EQ(twice.rows.size(), once.rows.size());
  EXPECT_TRUE(close(seen_from(twice, cache), expected, {.normalised = 1e-5}));
}

TEST_F(ContextTest, PrefillDoesNotDependOnThePack) {
  const std::vector<Chain> chains = {
      segments({words("look"), shown(tall_)}), {}, segments({shown(wide_), words("two")})};
  KvCache cache = make_cache(made_.model);
  std::vector<CachedContext> together(3);
  prefill(made_.model, cache, chains, together);
  EXPECT_TRUE(together[1].rows.empty());
  EXPECT_EQ(together[1].position, 0);
  for (size_t i = 0; i < 3; ++i) {
    const CachedContext alone = prefilled(cache, {chains[i]});
    EXPECT_EQ(alone.position, together[i].position);
    EXPECT_TRUE(same_bits(seen_from(alone, cache), seen_from(together[i], cache))) << i;
  }
}

}  // namespace
}  // namespace diptych
