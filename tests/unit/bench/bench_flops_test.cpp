#include "diptych/tensor/torch.h"

#include "diptych/bench/bench_flops.h"

#include <gtest/gtest.h>

namespace diptych {
namespace {

TEST(BenchFlopsTest, TheAutoencoderIsCountedConvolutionByConvolution) {
  ModelConfig config;
  config.vae.channels = 4;
  config.vae.channel_multipliers = {1, 2};
  config.vae.res_blocks = 1;
  config.vae.z_channels = 2;
  const AutoencoderFlops flops = autoencoder_flops(make_autoencoder(config), 64);
  const auto conv = [](double in, double out, double side, double pixels) {
    return 2 * in * out * side * side * pixels;
  };
  const auto block = [&](double in, double out, double pixels) {
    return conv(in, out, 3, pixels) + conv(out, out, 3, pixels) + (in == out ? 0 : conv(in, out, 1, pixels));
  };
  const double middle = 2 * block(8, 8, 16) + 4 * conv(8, 8, 1, 16) + 4 * 8 * 16 * 16;
  EXPECT_EQ(flops.encode,
            conv(3, 4, 3, 64) + block(4, 4, 64) + conv(4, 4, 3, 16) + block(4, 8, 16) + middle + conv(8, 4, 3, 16));
  EXPECT_EQ(flops.decode, conv(2, 8, 3, 16) + middle + 2 * block(8, 8, 16) + conv(8, 8, 3, 64) + block(8, 4, 64) +
                              block(4, 4, 64) + conv(4, 3, 3, 64));
}

}  // namespace
}  // namespace diptych
