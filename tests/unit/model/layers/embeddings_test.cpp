#include "diptych/model/layers/embeddings.h"

#include <gtest/gtest.h>

#include <cmath>

#include "diptych/model/layers/layers.h"
#include "support/compare.h"
#include "unit/model/model_fixture.h"

namespace diptych {
namespace {

TEST(EmbeddingsTest, TablesAreThoseOfTheCheckpoint) {
  const std::map<std::string, Tensor> stored = load_tensors(bagel_fixture("checkpoint/ema.safetensors"));
  for (const char* name : {"latent_pos_embed.pos_embed", "vit_pos_embed.pos_embed"}) {
    const Tensor& table = stored.at(name);
    const auto side = static_cast<int64_t>(std::lround(std::sqrt(table.size(0))));
    EXPECT_TRUE(close(sincos_table(table.size(1), side), table, {.absolute = 1e-7})) << name;
  }
}

TEST(EmbeddingsTest, TheFirstHalfEncodesTheColumn) {
  const int64_t side = 5, dim = 8;
  const Tensor table = sincos_table(dim, side).view({side, side, dim});
  EXPECT_TRUE(same_bits(table.select(0, 0).narrow(1, 0, 4), table.select(0, 3).narrow(1, 0, 4)));
  EXPECT_TRUE(same_bits(table.select(1, 0).narrow(1, 4, 4), table.select(1, 3).narrow(1, 4, 4)));
  EXPECT_NEAR(table[1][2][0].item<double>(), std::sin(2.0), 1e-7);
  EXPECT_NEAR(table[1][2][1].item<double>(), std::sin(2.0 / 100), 1e-7);
  EXPECT_NEAR(table[1][2][6].item<double>(), std::cos(1.0), 1e-7);
}

TEST(EmbeddingsTest, TimeEmbeddingMatchesTheReference) {
  const std::map<std::string, Tensor> parts = load_tensors(bagel_fixture("13_components.safetensors"));
  const Tensor& expected = parts.at("time.embedding");
  const Tensor sinusoid = time_sinusoid(parts.at("time.t"), parts.at("time.sinusoid").size(1));
  EXPECT_TRUE(close(sinusoid, parts.at("time.sinusoid"), {.absolute = 1e-6}));
  Linear in = make_linear(sinusoid.size(1), expected.size(1), true);
  Linear out = make_linear(expected.size(1), expected.size(1), true);
  std::vector<ParameterSlot> slots;
  collect(slots, "time_embedder.mlp.0", in);
  collect(slots, "time_embedder.mlp.2", out);
  fill_slots(slots, load_tensors(bagel_fixture("checkpoint/ema.safetensors")));
  EXPECT_TRUE(close(linear(at::silu(linear(sinusoid, in)), out), expected, {.absolute = 2e-5}));
}

TEST(EmbeddingsTest, SinusoidKeepsFloat64) {
  const Tensor times = at::tensor({0.25}, at::kDouble);
  const Tensor sinusoid = time_sinusoid(times, 4);
  ASSERT_EQ(sinusoid.scalar_type(), at::kDouble);
  EXPECT_DOUBLE_EQ(sinusoid[0][0].item<double>(), std::cos(0.25));
  EXPECT_DOUBLE_EQ(sinusoid[0][3].item<double>(), std::sin(0.25 / 100));
}

}  // namespace
}  // namespace diptych
