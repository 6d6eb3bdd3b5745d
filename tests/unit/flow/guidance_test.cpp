#include "diptych/flow/guidance.h"

#include "support/compare.h"

namespace diptych {
namespace {

Tensor ramp(double start, double step) {
  return (at::arange(2 * 3 * 4, at::kDouble) * step + start).view({2, 3, 4}).sin();
}

struct GuidanceTest : ::testing::Test {
  const Tensor cond = ramp(0.1, 0.7);
  const Tensor text = ramp(0.5, 1.3);
  const Tensor image = ramp(0.9, 2.1);
};

TEST_F(GuidanceTest, ActsInsideTheHalfOpenIntervalOnly) {
  const Guidance guidance{.text_scale = 4, .image_scale = 2, .interval_low = 0.4, .interval_high = 0.9};
  EXPECT_FALSE(uses_text_guidance(guidance, 0.4));
  EXPECT_TRUE(uses_text_guidance(guidance, 0.41));
  EXPECT_TRUE(uses_text_guidance(guidance, 0.9));
  EXPECT_FALSE(uses_image_guidance(guidance, 0.91));
  EXPECT_TRUE(same_bits(guided_velocity(cond, {}, {}, guidance, 0.95), cond));
}

TEST_F(GuidanceTest, TheImageScaleAloneDoesNothing) {
  const Guidance guidance{.text_scale = 1, .image_scale = 2};
  EXPECT_FALSE(uses_image_guidance(guidance, 0.5));
  EXPECT_TRUE(same_bits(guided_velocity(cond, text, image, guidance, 0.5), cond));
}

TEST_F(GuidanceTest, RenormMinOneIsPlainGuidance) {
  const Guidance guidance{.text_scale = 4, .renorm_min = 1};
  EXPECT_TRUE(same_bits(guided_velocity(cond, text, {}, guidance, 0.5), text + 4 * (cond - text)));
}

TEST_F(GuidanceTest, NormsOfImagesAreIndependent) {
  for (RenormType renorm : {RenormType::global, RenormType::channel, RenormType::text_channel}) {
    const Guidance guidance{.text_scale = 4, .image_scale = 2, .renorm = renorm};
    const Tensor batch = guided_velocity(cond, text, image, guidance, 0.5);
    for (int64_t i = 0; i < 2; ++i) {
      EXPECT_TRUE(close(guided_velocity(cond[i], text[i], image[i], guidance, 0.5), batch[i], {.normalised = 1e-14}));
      if (renorm != RenormType::global) continue;
      EXPECT_LE(batch[i].norm().item<double>(), cond[i].norm().item<double>() + 1e-6);
    }
  }
}

TEST_F(GuidanceTest, MissingVelocitiesAreErrors) {
  const Guidance guidance{.text_scale = 4, .image_scale = 2};
  EXPECT_ANY_THROW(guided_velocity(cond, {}, image, guidance, 0.5));
  EXPECT_ANY_THROW(guided_velocity(cond, text, {}, guidance, 0.5));
}

}  // namespace
}  // namespace diptych
