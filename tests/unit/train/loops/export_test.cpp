#include "diptych/tensor/torch.h"

#include "diptych/train/loops/export.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "diptych/io/files.h"
#include "diptych/tensor/load.h"
#include "support/compare.h"
#include "support/expect_error.h"
#include "support/temporary_folder.h"
#include "support/tiny_model.h"

namespace diptych {
namespace {

const AdapterOptions kExported = {.rank = 2, .alpha = 4, .targets = {"*_proj*"}};
const std::string kAdapted = "language_model.model.layers.1.mlp_moe_gen.up_proj";

/** A policy with adapters, exported. What is done to the files afterwards stands for damage while they were written. */
class ExportTest : public ::testing::Test {
 protected:
  void adapt_and_export(at::ScalarType dtype) {
    policy_ = load_model_folder(base_, dtype).model;
    const std::vector<ParameterSlot> slots = attach_adapters(policy_, kExported, 3);
    for (size_t i = 0; i < slots.size(); ++i) slots[i].tensor->add_(numbers(50 + i, slots[i].tensor->sizes()), 0.1);
    merge_adapters(policy_);
    export_policy(out_, policy_, kExported, base_);
  }

  /** Changes a weight file, checks the export, and puts the file back. */
  void expect_refused(const std::filesystem::path& file,
                      const std::function<void(std::map<std::string, Tensor>&)>& change,
                      const std::vector<std::string>& parts) {
    const std::string whole = read_file(file);
    std::map<std::string, Tensor> stored = load_tensors(file);
    change(stored);
    std::vector<NamedTensor> list;
    for (const auto& [name, tensor] : stored) list.push_back({name, tensor});
    save_tensors(file, list);
    expect_error([&] { check_export(out_, policy_, base_); }, ExitCode::mismatch, parts);
    write_file_atomic(file, whole);
  }

  /** The same with adapter_config.json. */
  void expect_config_refused(const std::function<void(nlohmann::json&)>& change,
                             const std::vector<std::string>& parts) {
    const std::filesystem::path file = out_ / "adapter" / "adapter_config.json";
    const std::string whole = read_file(file);
    nlohmann::json config = nlohmann::json::parse(whole);
    change(config);
    write_file_atomic(file, config.dump());
    expect_error([&] { check_export(out_, policy_, base_); }, ExitCode::mismatch, parts);
    write_file_atomic(file, whole);
  }

  TemporaryFolder folder_;
  const std::filesystem::path base_ = folder_.path() / "base";
  const std::filesystem::path out_ = folder_.path() / "out";
  const std::filesystem::path transformer_ = out_ / "model" / "ema.safetensors";
  const std::filesystem::path autoencoder_ = out_ / "model" / "ae.safetensors";
  const std::filesystem::path adapter_ = out_ / "adapter" / "adapter_model.safetensors";
  const ModelFolder made_ = make_tiny_model(base_);
  Bagel policy_;
};

void flip_a_bit(Tensor& tensor) {
  tensor.view({-1}).view(at::kInt).narrow(0, 3, 1).bitwise_xor_(1);
}

TEST_F(ExportTest, WhatIsWrittenIsThePolicyInItsDtype) {
  for (const at::ScalarType dtype : {at::kFloat, at::kBFloat16}) {
    adapt_and_export(dtype);
    Bagel loaded = load_model_folder(out_ / "model", dtype).model;
    const std::vector<ParameterSlot> slots = all_slots(loaded), expected = all_slots(policy_);
    for (size_t i = 0; i < slots.size(); ++i)
      EXPECT_TRUE(same_bits(*slots[i].tensor, *expected[i].tensor)) << slots[i].name;
    EXPECT_EQ(load_tensors(transformer_).at("llm2vae.weight").scalar_type(), dtype);
  }
  EXPECT_EQ(read_file(autoencoder_), read_file(base_ / "ae.safetensors"));
}

TEST_F(ExportTest, WithoutAdaptersThereIsAModelAlone) {
  policy_ = load_model_folder(base_).model;
  export_policy(out_, policy_, {}, base_);
  EXPECT_TRUE(std::filesystem::exists(transformer_));
  EXPECT_FALSE(std::filesystem::exists(out_ / "adapter"));
}

TEST_F(ExportTest, OtherWeightsAreRefused) {
  adapt_and_export(at::kFloat);
  expect_refused(transformer_, [](auto& stored) { flip_a_bit(stored.at("llm2vae.weight")); },
                 {"ema.safetensors", "bit for bit", "1 fault: other values in llm2vae.weight", "not to be used"});
  expect_refused(transformer_, [](auto& stored) { flip_a_bit(stored.at(kAdapted + ".weight")); }, {kAdapted});
  expect_refused(transformer_, [](auto& stored) { stored.erase("language_model.model.norm.weight"); },
                 {"ema.safetensors", "missing language_model.model.norm.weight [32]"});
  expect_refused(transformer_, [](auto& stored) { stored["spare"] = at::zeros({2}); }, {"extra spare [2]"});
  expect_refused(transformer_, [](auto& stored) { stored["llm2vae.bias"] = at::zeros({3}); },
                 {"misshapen llm2vae.bias: expected [16], got [3]"});
  expect_refused(transformer_,
                 [](auto& stored) { stored.at("llm2vae.weight") = stored.at("llm2vae.weight").to(at::kBFloat16); },
                 {"other values in llm2vae.weight"});
  expect_refused(autoencoder_, [](auto& stored) { flip_a_bit(stored.at("decoder.conv_in.weight")); },
                 {"ae.safetensors", "other values in decoder.conv_in.weight"});
  expect_refused(base_ / "ae.safetensors", [](auto& stored) { flip_a_bit(stored.at("decoder.conv_in.weight")); },
                 {autoencoder_.string(), "the weights of " + (base_ / "ae.safetensors").string()});
  std::filesystem::resize_file(transformer_, std::filesystem::file_size(transformer_) - 9);
  expect_error([&] { check_export(out_, policy_, base_); }, ExitCode::model, {"ema.safetensors"});
}

TEST_F(ExportTest, AdaptersThatMergeToAnotherPolicyAreRefused) {
  adapt_and_export(at::kBFloat16);
  const std::string factor = "base_model.model." + kAdapted + ".lora_A.weight";
  expect_refused(adapter_, [&](auto& stored) { stored.at(factor).neg_(); },
                 {(out_ / "adapter").string(), "1 fault: another product for " + kAdapted, "lora_alpha 4 / r 2"});
  expect_refused(adapter_, [&](auto& stored) { stored.erase(factor); },
                 {"adapter_model.safetensors", "missing " + factor});
  expect_refused(base_ / "ema.safetensors", [](auto& stored) { stored.at(kAdapted + ".weight").neg_(); },
                 {base_.string(), "1 fault: another product for " + kAdapted});
  expect_config_refused([](auto& config) { config["lora_alpha"] = 5; },
                        {"lora_alpha 5 / r 2", "28 faults", "another product for language_model.model.layers.0"});
  expect_config_refused([](auto& config) { config["r"] = 4, config["lora_alpha"] = 8; },
                        {"adapter_config.json", "r 4, while that of ", " is 2"});
  expect_config_refused([](auto& config) { config["target_modules"].erase(27); },
                        {"adapter_config.json", "r and target_modules of 28 adapters", "1 fault: no "});
  expect_config_refused([](auto& config) { config["target_modules"].push_back("lm_head"); },
                        {"1 fault: lm_head, which has no adapter"});
  expect_config_refused([](auto& config) { config.erase("r"); },
                        {"adapter_config.json", "lora_alpha and target_modules"});
}

TEST_F(ExportTest, AdaptersThatAReaderWouldMultiplyOtherwiseAreRefused) {
  adapt_and_export(at::kFloat);
  for (const nlohmann::json& option :
       {nlohmann::json{{"use_rslora", true}}, nlohmann::json{{"use_dora", true}},
        nlohmann::json{{"fan_in_fan_out", true}}, nlohmann::json{{"bias", "all"}},
        nlohmann::json{{"modules_to_save", {"lm_head"}}}, nlohmann::json{{"alpha_pattern", {{"q_proj", 8}}}},
        nlohmann::json{{"rank_pattern", {{"q_proj", 1}}}}})
    expect_config_refused([&](auto& config) { config.update(option); },
                          {"adapter_config.json: " + option.begin().key(), option.begin()->dump()});
}

}  // namespace
}  // namespace diptych
