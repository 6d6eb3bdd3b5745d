#include "diptych/model/config/config_keys.h"

#include <gtest/gtest.h>

#include "diptych/io/files.h"
#include "diptych/model/config/model_config.h"
#include "support/expect_error.h"
#include "support/temporary_folder.h"

namespace diptych {
namespace {

using nlohmann::json;

/** A folder of configuration files; each test says the same in another way, or something that is not built. */
class ConfigKeysTest : public ::testing::Test {
 protected:
  ConfigKeysTest() {
    plain_.rope_theta = 10000;
    make_folder(folder_);
    write_model_config(folder_, plain_);
  }

  json llm() const { return json::parse(read_file(folder_ / "llm_config.json")); }

  /** The file `name` with keys that are set, and removed where the value is the string "gone". */
  void change(const std::string& name, const json& keys) const {
    json values = json::parse(read_file(original_ / name));
    for (const auto& [key, value] : keys.items()) {
      values[key] = value;
      if (value == "gone") values.erase(key);
    }
    write_file_atomic(folder_ / name, values.dump());
  }

  void expect_same(const std::string& name, const json& keys, const std::string& warning = "") const {
    change(name, keys);
    ::testing::internal::CaptureStderr();
    EXPECT_EQ(load_model_config(folder_), plain_) << name << " with " << keys;
    const std::string told = ::testing::internal::GetCapturedStderr();
    EXPECT_EQ(told.empty(), warning.empty()) << told;
    EXPECT_NE(told.find(warning), std::string::npos) << told;
    change(name, json::object());
  }

  /** Each key by itself, which the error must name with its value. */
  void expect_refused(const std::string& name, const json& keys) const {
    for (const auto& [key, value] : keys.items()) {
      change(name, {{key, value}});
      expect_error([&] { load_model_config(folder_); }, ExitCode::model, {name, key, value.dump()});
    }
    change(name, json::object());
  }

  TemporaryFolder temporary_;
  const std::filesystem::path folder_ = temporary_.path() / "model", original_ = temporary_.path() / "original";
  ModelConfig plain_;

  void SetUp() override { std::filesystem::copy(folder_, original_); }
};

TEST_F(ConfigKeysTest, TheRotaryBaseIsReadWhereverItStands) {
  const json theta = {{"rope_theta", 10000}};
  for (const json& place : {json{{"rope_parameters", {{"rope_type", "default"}, {"rope_theta", 10000.0}}}},
                            json{{"rope_parameters", theta}}, json{{"rope_scaling", theta}},
                            json{{"rope_parameters", {{"full_attention", theta}}}}}) {
    expect_same("llm_config.json", place);  // beside rope_theta
    json alone = place;
    alone["rope_theta"] = "gone";
    expect_same("llm_config.json", alone);
  }
  change("llm_config.json", {{"rope_parameters", {{"rope_theta", 20000}}}});
  expect_error([&] { load_model_config(folder_); }, ExitCode::model,
               {"llm_config.json: rope_parameters.rope_theta", "10000", "20000"});
  change("llm_config.json", {{"rope_theta", "gone"}});
  expect_error([&] { load_model_config(folder_); }, ExitCode::model, {"llm_config.json: rope_theta", "no such key"});
  change("llm_config.json", {{"rope_theta", "gone"}, {"rope_base", 10000}});
  expect_error([&] { load_model_config(folder_); }, ExitCode::model, {"llm_config.json: rope_base", "rope_theta"});
}

TEST_F(ConfigKeysTest, WhatMeansOffIsAccepted) {
  for (const json& keys : {json{{"rope_scaling", nullptr}},
                           json{{"rope_scaling", {{"rope_type", "default"}}}},
                           json{{"rope_scaling", {{"type", "default"}, {"factor", 1.0}}}},
                           json{{"rope_parameters", {{"partial_rotary_factor", 1.0}}}},
                           json{{"sliding_window", 8}, {"use_sliding_window", false}},
                           json{{"sliding_window", nullptr}, {"use_sliding_window", true}},
                           json{{"sliding_window", 8}, {"use_sliding_window", true}, {"max_window_layers", 28}},
                           json{{"layer_types", std::vector<std::string>(28, "full_attention")}},
                           json{{"hidden_act", "swish"}},
                           json{{"attention_bias", true}},
                           json{{"mlp_bias", false}},
                           json{{"attention_dropout", 0.0}},
                           json{{"num_experts", 0}},
                           json{{"qk_norm", true}},
                           json{{"layer_module", "Qwen2MoTDecoderLayer"}},
                           json{{"head_dim", nullptr}},
                           json{{"rms_eps", 1e-6}},
                           json{{"quantization_config", nullptr}},
                           json{{"partial_rotary_factor", 1.0}},
                           json{{"dtype", "bfloat16"}, {"pad_token_id", 3}}})
    expect_same("llm_config.json", keys);
  for (const json& keys : {json{{"hidden_act", "gelu_pytorch_tanh"}}, json{{"rope", false}}, json{{"num_channels", 3}}})
    expect_same("vit_config.json", keys);
  for (const json& keys : {json{{"interpolate_pos", nullptr}}, json{{"llm_qk_norm", true}}})
    expect_same("config.json", keys);
}

TEST_F(ConfigKeysTest, WhatChangesTheArithmeticIsRefused) {
  expect_refused("llm_config.json", {{"hidden_act", "gelu"},
                                     {"layer_module", "Qwen2DecoderLayer"},
                                     {"model_type", "llama"},
                                     {"qk_norm", false},
                                     {"attention_bias", false},
                                     {"partial_rotary_factor", 0.5},
                                     {"final_logit_softcapping", 30.0},
                                     {"num_experts", 8},
                                     {"embedding_multiplier", 12.0},
                                     {"quantization_config", {{"bits", 4}}},
                                     {"layer_types", {"full_attention", "sliding_attention"}},
                                     {"rms_eps", 1e-5},
                                     {"n_layers", 3}});
  for (const json& scaling : {json{{"type", "yarn"}, {"factor", 4}}, json{{"rope_type", "linear"}, {"factor", 2.0}},
                              json{{"rope_type", "dynamic"}}, json{{"rope_type", "llama3"}}, json{{"type", "mrope"}}})
    for (const char* place : {"rope_scaling", "rope_parameters"}) {
      change("llm_config.json", {{place, scaling}});
      const bool is_typed = scaling.contains("type");
      expect_error([&] { load_model_config(folder_); }, ExitCode::model,
                   {place, is_typed ? "type" : "rope_type", scaling.at(is_typed ? "type" : "rope_type").dump()});
    }
  change("llm_config.json", {{"rope_scaling", {{"type", "default"}, {"mrope_section", {16, 24, 24}}}}});
  expect_error([&] { load_model_config(folder_); }, ExitCode::model, {"rope_scaling.mrope_section", "[16,24,24]"});
  change("llm_config.json", {{"rope_scaling", "yarn"}});
  expect_error([&] { load_model_config(folder_); }, ExitCode::model, {"rope_scaling", "an object", "\"yarn\""});
  for (const json& window : {json{{"use_sliding_window", true}, {"sliding_window", 8}},
                             json{{"use_sliding_window", true}, {"sliding_window", 8}, {"max_window_layers", 27}}}) {
    change("llm_config.json", window);
    expect_error([&] { load_model_config(folder_); }, ExitCode::model, {"use_sliding_window", "sliding_window 8"});
  }
  change("llm_config.json", json::object());
  expect_refused("vit_config.json", {{"hidden_act", "quick_gelu"}, {"rope", true}, {"num_channels", 1}, {"depth", 12}});
  expect_refused("config.json", {{"interpolate_pos", true}, {"connector_act", "relu"}, {"visual_gen", false}});
  change("config.json", {{"vae_config", {{"scaling_factor", 0.5}}}});
  expect_error([&] { load_model_config(folder_); }, ExitCode::model,
               {"vae_config.scaling_factor", "vae_config.scale_factor", "0.5"});
}

TEST_F(ConfigKeysTest, UnknownKeysAreNamedInOneWarning) {
  expect_same("llm_config.json", {{"attention_dropout", 0.5}, {"magic", "on"}}, "attention_dropout 0.5, magic \"on\"");
  expect_same("config.json", {{"magic", 7}}, "config.json: no notice is taken of magic 7");
}

TEST_F(ConfigKeysTest, NumbersHaveRanges) {
  for (const json& value : {json(0), json(-1e-6), json(1), json("small")})
    expect_refused("llm_config.json", {{"rms_norm_eps", value}});
  expect_refused("llm_config.json", {{"rope_theta", "10000"},
                                     {"hidden_size", 0},
                                     {"num_hidden_layers", 100'000},
                                     {"num_attention_heads", 27},
                                     {"num_key_value_heads", 3},
                                     {"head_dim", 31},
                                     {"vocab_size", -1},
                                     {"tie_word_embeddings", 1}});
  for (const json& value : {json(128.5), json(1 << 20)}) expect_refused("llm_config.json", {{"head_dim", value}});
  for (const json& value : {json(0), json(-1), json(1e300)}) {
    expect_refused("llm_config.json", {{"rope_theta", value}});
    change("llm_config.json", {{"rope_theta", "gone"}, {"rope_parameters", {{"rope_theta", value}}}});
    expect_error([&] { load_model_config(folder_); }, ExitCode::model, {"rope_parameters.rope_theta", value.dump()});
  }
  change("llm_config.json", json::object());
  expect_refused("vit_config.json",
                 {{"layer_norm_eps", 0}, {"num_attention_heads", 0}, {"num_hidden_layers", 1 << 20}});
  for (const int64_t patch : {-14, 1 << 20}) expect_refused("vit_config.json", {{"patch_size", patch}});
  expect_refused("config.json", {{"timestep_shift", 0}, {"latent_patch_size", 0}, {"max_latent_size", -1}});
  expect_refused("config.json", {{"latent_patch_size", 1 << 20}});
  for (const json& vae : {json{{"scale_factor", 0}}, json{{"shift_factor", 1e300}}, json{{"in_channels", 4}},
                          json{{"ch", 1 << 20}}, json{{"ch_mult", std::vector<int>(60, 1)}}}) {
    change("config.json", {{"vae_config", vae}});
    expect_error([&] { load_model_config(folder_); }, ExitCode::model, {"vae_config." + vae.begin().key()});
  }
  change("config.json", json::object());
  std::string text = read_file(original_ / "llm_config.json");
  write_file_atomic(folder_ / "llm_config.json", text.replace(text.find("10000"), 5, "NaN  "));
  expect_error([&] { load_model_config(folder_); }, ExitCode::model, {"llm_config.json:", "JSON", "rope_theta", "NaN"});
}

TEST_F(ConfigKeysTest, PartsMayBeNested) {
  json text = llm();
  change("llm_config.json", {{"text_config", text}, {"model_type", "qwen2_vl"}});
  EXPECT_EQ(load_model_config(folder_), plain_);
  write_file_atomic(folder_ / "llm_config.json", json{{"text_config", text}}.dump());
  EXPECT_EQ(load_model_config(folder_), plain_);
  change("llm_config.json", {{"text_config", text}, {"rope_theta", 500}});
  expect_error([&] { load_model_config(folder_); }, ExitCode::model, {"rope_theta", "10000", "500"});
  text["rope_scaling"] = {{"type", "yarn"}};
  write_file_atomic(folder_ / "llm_config.json", json{{"text_config", text}}.dump());
  expect_error([&] { load_model_config(folder_); }, ExitCode::model, {"text_config.rope_scaling.type", "yarn"});

  const json vit = json::parse(read_file(folder_ / "vit_config.json"));
  for (const char* name : {"llm_config.json", "vit_config.json"}) std::filesystem::remove(folder_ / name);
  text.erase("rope_scaling");
  change("config.json", {{"llm_config", text}, {"vision_config", vit}});
  EXPECT_EQ(load_model_config(folder_), plain_);
}

TEST_F(ConfigKeysTest, WritingClearsOtherPlacesOfTheSameValues) {
  change("llm_config.json", {{"rope_parameters", {{"rope_theta", 10000}}}, {"text_config", llm()}});
  plain_.rope_theta = 500;
  write_model_config(folder_, plain_);
  EXPECT_EQ(load_model_config(folder_), plain_);
}

}  // namespace
}  // namespace diptych
