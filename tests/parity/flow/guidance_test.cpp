#include "diptych/flow/guidance.h"

#include <nlohmann/json.hpp>

#include <fstream>

#include "diptych/tensor/load.h"
#include "support/compare.h"
#include "support/fixtures.h"

namespace diptych {
namespace {

constexpr Tolerance kSamePack{.normalised = 1e-6};
// The expected global velocities come from runs of one image each. Their velocities differ from the packed ones of the
// file by 1e-6, which scales of 4 and 2 magnify. The packed official values must still be told apart.
constexpr Tolerance kOtherPack{.normalised = 3e-5};

/** Pixels per side of one latent token: latent patch times the downsampling of the autoencoder. */
int64_t token_pixels(const std::filesystem::path& checkpoint) {
  const auto config = nlohmann::json::parse(std::ifstream(checkpoint / "config.json"));
  return config.at("latent_patch_size").get<int64_t>() * config.at("vae_config").at("downsample").get<int64_t>();
}

std::vector<int64_t> image_tokens(const Tensor& sizes_hw, int64_t pixels) {
  std::vector<int64_t> tokens;
  for (int64_t i = 0; i < sizes_hw.size(0); ++i)
    tokens.push_back(sizes_hw[i][0].item<int64_t>() / pixels * (sizes_hw[i][1].item<int64_t>() / pixels));
  return tokens;
}

/** "global_text4_img1.5_min0.6" -> the guidance of that name; active at every time. */
Guidance parse_guidance(const std::string& name) {
  Guidance guidance;
  const size_t text = name.find("_text", 5);
  const std::string type = name.substr(0, text);
  guidance.renorm = type == "global"    ? RenormType::global
                    : type == "channel" ? RenormType::channel
                                        : RenormType::text_channel;
  EXPECT_TRUE(type == "global" || type == "channel" || type == "text_channel") << name;
  EXPECT_EQ(std::sscanf(name.c_str() + text, "_text%lf_img%lf_min%lf", &guidance.text_scale, &guidance.image_scale,
                        &guidance.renorm_min),
            3)
      << name;
  return guidance;
}

class GuidanceParity : public ::testing::TestWithParam<const char*> {};

TEST_P(GuidanceParity, EveryCombinationPerImage) {
  const auto folder = fixture_folder() / "bagel_tiny";
  const auto file = load_tensors(folder / GetParam());
  const auto tokens = image_tokens(file.at("in.image_sizes_hw"), token_pixels(folder / "checkpoint"));
  int combinations = 0;
  int traps = 0;
  for (const auto& [key, expected] : file) {
    const size_t dot = key.find('.', 4);
    if (!key.starts_with("out.t") || key.find("_text") == std::string::npos || key.find("_min") == std::string::npos)
      continue;
    std::string name = key.substr(dot + 1);
    const bool packed = name.starts_with("trap_packed_");
    if (packed) name = name.substr(std::string("trap_packed_").size());
    const Guidance guidance = parse_guidance(name);
    const std::string prefix = key.substr(0, dot);
    const auto cond = file.at(prefix + ".v_cond").split_with_sizes(tokens);
    const auto text = file.at(prefix + ".v_cfg_text").split_with_sizes(tokens);
    const auto image = file.at(prefix + ".v_cfg_img").split_with_sizes(tokens);
    std::vector<Tensor> guided;
    for (size_t i = 0; i < tokens.size(); ++i)
      guided.push_back(guided_velocity(cond[i], text[i], image[i], guidance, 0.5));
    if (packed) {
      // The official code on the pack: one norm over all images.
      const auto whole = [&](const char* which) { return file.at(prefix + which); };
      EXPECT_TRUE(close(guided_velocity(whole(".v_cond"), whole(".v_cfg_text"), whole(".v_cfg_img"), guidance, 0.5),
                        expected, kSamePack))
          << key;
      EXPECT_EQ(static_cast<bool>(close(at::cat(guided), expected, kOtherPack)), tokens.size() == 1) << key;
      ++traps;
      continue;
    }
    EXPECT_TRUE(close(at::cat(guided), expected, guidance.renorm == RenormType::global ? kOtherPack : kSamePack))
        << key;
    ++combinations;
  }
  EXPECT_GT(combinations, 0);
  EXPECT_GT(traps, 0);
}

INSTANTIATE_TEST_SUITE_P(Files, GuidanceParity,
                         ::testing::Values("06_velocity_t2i.safetensors", "06_velocity_edit.safetensors"));

}  // namespace
}  // namespace diptych
