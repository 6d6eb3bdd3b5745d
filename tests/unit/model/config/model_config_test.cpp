#include "diptych/model/config/model_config.h"

#include <gtest/gtest.h>

#include <fstream>
#include <nlohmann/json.hpp>

#include "diptych/base/error.h"
#include "diptych/io/files.h"
#include "unit/model/model_fixture.h"

namespace diptych {
namespace {

namespace fs = std::filesystem;

class ConfigTest : public ::testing::Test {
 protected:
  void SetUp() override {
    folder_ = fs::path(::testing::TempDir()) / ::testing::UnitTest::GetInstance()->current_test_info()->name();
    fs::remove_all(folder_);
    fs::create_directories(folder_);
  }
  void TearDown() override { fs::remove_all(folder_); }

  void replace(const char* file, const std::string& from, const std::string& to) {
    std::string text = read_file(folder_ / file);
    const size_t place = text.find(from);
    ASSERT_NE(place, std::string::npos) << from << " in " << text;
    write_file_atomic(folder_ / file, text.replace(place, from.size(), to));
  }

  void expect_error(const std::string& part) {
    try {
      load_model_config(folder_);
      FAIL() << "no error that names " << part;
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ExitCode::model);
      EXPECT_NE(std::string(error.what()).find(part), std::string::npos) << error.what();
    }
  }

  fs::path folder_;
};

TEST_F(ConfigTest, DefaultsAreThePublishedModel) {
  const ModelConfig config;
  EXPECT_EQ(latent_token_width(config), 64);
  EXPECT_EQ(latent_token_pixels(config), 16);
  EXPECT_EQ(config.hidden, config.heads * config.head_dim);
}

TEST_F(ConfigTest, FixtureFolderIsReadAndTheLastVitLayerDropped) {
  const ModelConfig config = load_model_config(bagel_fixture("checkpoint"));
  const std::map<std::string, Tensor> stored = load_tensors(bagel_fixture("checkpoint/ema.safetensors"));
  EXPECT_EQ(stored.at("language_model.model.embed_tokens.weight").sizes(),
            at::IntArrayRef({config.vocabulary, config.hidden}));
  EXPECT_EQ(stored.at("vae2llm.weight").size(1), latent_token_width(config));
  EXPECT_EQ(stored.at("latent_pos_embed.pos_embed").size(0), config.max_latent_size * config.max_latent_size);
  const std::string layers = "vit_model.vision_model.encoder.layers.";
  EXPECT_TRUE(stored.contains(layers + std::to_string(config.vit.layers - 1) + ".layer_norm1.weight"));
  EXPECT_FALSE(stored.contains(layers + std::to_string(config.vit.layers) + ".layer_norm1.weight"));
  EXPECT_NE(config.vae_transform, ModelConfig{}.vae_transform);
  EXPECT_EQ(config.vae.norm_groups, 32);
}

TEST_F(ConfigTest, WritingAndReadingGivesTheSameConfig) {
  ModelConfig config = load_model_config(bagel_fixture("checkpoint"));
  config.vae.channels = 12;
  config.vae.norm_groups = 4;
  config.vae.shift = -0.1;
  config.timestep_shift = 3.1;
  config.head_dim = 32;
  write_model_config(folder_, config);
  EXPECT_EQ(load_model_config(folder_), config);
  write_model_config(folder_, ModelConfig{});
  EXPECT_EQ(load_model_config(folder_), ModelConfig{});
}

TEST_F(ConfigTest, WritingLeavesTheKeysOfOthers) {
  ModelConfig config;
  config.head_dim = 64;
  config.vit.layer_norm_eps = 1e-5;
  write_model_config(folder_, config);
  set_json_keys(folder_ / "llm_config.json", {{"max_position_embeddings", 77}});
  set_json_keys(folder_ / "config.json", {{"vae_config", {{"note", "mine"}}}});
  write_model_config(folder_, ModelConfig{});
  EXPECT_EQ(load_model_config(folder_), ModelConfig{});
  const auto llm = nlohmann::json::parse(read_file(folder_ / "llm_config.json"));
  EXPECT_EQ(llm.at("max_position_embeddings"), 77);
  EXPECT_FALSE(llm.contains("head_dim"));  // as in the published file, where it follows from the width
  EXPECT_FALSE(nlohmann::json::parse(read_file(folder_ / "vit_config.json")).contains("layer_norm_eps"));
  EXPECT_EQ(nlohmann::json::parse(read_file(folder_ / "config.json")).at("vae_config").at("note"), "mine");
}

TEST_F(ConfigTest, WithoutVisualUnderstandingThereIsNoVitFile) {
  ModelConfig config;
  config.visual_und = false;
  write_model_config(folder_, config);
  EXPECT_FALSE(fs::exists(folder_ / "vit_config.json"));
  EXPECT_EQ(load_model_config(folder_), config);
}

TEST_F(ConfigTest, ConfigJsonThatIsABareNameOrLacksKeysMeansTheDefaults) {
  write_model_config(folder_, ModelConfig{});
  for (const char* text : {"BAGEL-7B-MoT", "{}", "{\"vae_config\": {\"z_channels\": 16}}"}) {
    write_file_atomic(folder_ / "config.json", text);
    EXPECT_EQ(load_model_config(folder_), ModelConfig{}) << text;
  }
}

TEST_F(ConfigTest, ErrorsNameFileAndKey) {
  write_model_config(folder_, ModelConfig{});
  replace("llm_config.json", "\"hidden_size\": 3584", "\"hidden_size\": \"big\"");
  expect_error("llm_config.json: hidden_size");
  replace("llm_config.json", "\"hidden_size\": \"big\"", "\"hidden_size\": 3584000000000");
  expect_error("llm_config.json: hidden_size");
  replace("llm_config.json", "\"hidden_size\": 3584000000000", "\"size\": 3584");
  expect_error("llm_config.json: hidden_size");
  write_model_config(folder_, ModelConfig{});
  replace("llm_config.json", "\"num_key_value_heads\": 4", "\"num_key_value_heads\": 5");
  expect_error("num_attention_heads");
  write_model_config(folder_, ModelConfig{});
  replace("config.json", "\"norm_groups\": 32", "\"norm_groups\": 48");
  expect_error("vae_config.norm_groups");
  replace("config.json", "\"norm_groups\": 48", "\"norm_groups\": 0");
  expect_error("vae_config.norm_groups");
  write_model_config(folder_, ModelConfig{});
  replace("config.json", "\"downsample\": 8", "\"downsample\": 16");
  expect_error("vae_config.downsample");
  write_model_config(folder_, ModelConfig{});
  replace("vit_config.json", "\"num_hidden_layers\": 27", "\"num_hidden_layers\": 1");
  expect_error("vit_config.json: num_hidden_layers");
  write_file_atomic(folder_ / "vit_config.json", "no json");
  expect_error("vit_config.json");
}

TEST_F(ConfigTest, AMissingFileIsAnError) {
  write_model_config(folder_, ModelConfig{});
  fs::remove(folder_ / "vit_config.json");
  EXPECT_THROW(load_model_config(folder_), Error);
}

}  // namespace
}  // namespace diptych
