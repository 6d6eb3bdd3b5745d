#include "diptych/tensor/torch.h"

#include "diptych/model/folder/inspection.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "diptych/io/files.h"
#include "diptych/model/folder/difference_groups.h"
#include "diptych/tensor/load.h"
#include "support/expect_error.h"
#include "support/temporary_folder.h"
#include "support/tiny_model.h"

namespace diptych {
namespace {

const ComponentSummary& component(const FolderSummary& summary, const std::string& name) {
  for (const WeightFileSummary& file : summary.files)
    for (const ComponentSummary& found : file.components)
      if (found.name == name) return found;
  throw std::runtime_error("no component " + name);
}

class InspectionTest : public ::testing::Test {
 protected:
  void SetUp() override { create_model_folder(folder_, tiny_recipe(), {"two red circles"}); }
  FolderSummary inspect() const { return inspect_folder(folder_); }

  TemporaryFolder temporary_;
  const std::filesystem::path folder_ = temporary_.path() / "model";
};

TEST_F(InspectionTest, ACompleteFolderHasNoProblem) {
  const FolderSummary summary = inspect();
  EXPECT_EQ(problem_count(summary), 0);
  EXPECT_EQ(summary.config, load_model_config(folder_));
  EXPECT_EQ(summary.tokenizer->size, Tokenizer::load(folder_).size());
  EXPECT_EQ(summary.tokenizer->special.im_end, Tokenizer::load(folder_).im_end());
  Bagel model = make_bagel(*summary.config);
  int64_t parameters = 0, expected = 0;
  for (const WeightFileSummary& file : summary.files) {
    for (const ComponentSummary& found : file.components) {
      EXPECT_EQ(found.tensors, found.expected_tensors) << found.name;
      EXPECT_EQ(found.bytes, 4 * found.parameters) << found.name;
      EXPECT_EQ(found.dtypes, std::set<std::string>{"F32"}) << found.name;
      parameters += found.parameters;
    }
  }
  for (const ParameterSlot& slot : all_slots(model)) expected += slot.tensor->numel();
  EXPECT_EQ(parameters, expected);
  EXPECT_EQ(component(summary, "generation expert").parameters, component(summary, "understanding expert").parameters);
}

TEST_F(InspectionTest, DifferencesAreListedBesideTheTable) {
  ModelConfig config = load_model_config(folder_);
  config.layers = 3;
  write_model_config(folder_, config);
  const FolderSummary summary = inspect();
  EXPECT_EQ(problem_count(summary), 1);
  EXPECT_EQ(summary.files[0].differences.size(), 28u);  // the third layer of both experts
  EXPECT_TRUE(summary.files[1].differences.empty());
  EXPECT_EQ(component(summary, "understanding expert").tensors + 14,
            component(summary, "understanding expert").expected_tensors);
}

TEST_F(InspectionTest, TheWeightsSayTheSidesOfThePositionTables) {
  set_json_keys(folder_ / "config.json", {{"max_latent_size", 4}});
  ::testing::internal::CaptureStderr();
  FolderSummary summary = inspect();
  const std::string warning = ::testing::internal::GetCapturedStderr();
  EXPECT_NE(warning.find("max_latent_size 4"), std::string::npos) << warning;
  EXPECT_NE(warning.find("8 x 8"), std::string::npos) << warning;
  EXPECT_EQ(problem_count(summary), 0);
  EXPECT_EQ(summary.config->max_latent_size, 8);

  std::vector<NamedTensor> tensors;
  for (const auto& [name, tensor] : load_tensors(folder_ / "ema.safetensors"))
    tensors.push_back({name, name == "latent_pos_embed.pos_embed" ? tensor.narrow(0, 0, 63) : tensor});
  save_tensors(folder_ / "ema.safetensors", tensors);
  summary = inspect();
  ASSERT_EQ(summary.faults.size(), 1u);
  EXPECT_NE(summary.faults[0].find("63 rows"), std::string::npos) << summary.faults[0];
}

TEST_F(InspectionTest, WhatCannotBeReadIsAFaultAndTheRestIsShown) {
  std::filesystem::resize_file(folder_ / "ema.safetensors", 1000);
  FolderSummary summary = inspect();
  EXPECT_NE(summary.files[0].fault.find("ema.safetensors"), std::string::npos);
  EXPECT_EQ(component(summary, "word embedding").tensors, 0);
  EXPECT_EQ(component(summary, "word embedding").expected_tensors, 1);
  EXPECT_GT(component(summary, "autoencoder").tensors, 0);

  std::filesystem::remove(folder_ / "llm_config.json");
  summary = inspect();
  EXPECT_EQ(problem_count(summary), 2);
  EXPECT_FALSE(summary.config.has_value());
  EXPECT_NE(summary.faults.at(0).find("llm_config.json"), std::string::npos);
  EXPECT_EQ(component(summary, "autoencoder").expected_tensors, 0);
  EXPECT_GT(component(summary, "autoencoder").tensors, 0);
  expect_error([&] { inspect_folder(folder_ / "none"); }, ExitCode::model, {"none", "no such folder"});
}

TEST_F(InspectionTest, ATokenizerTooLargeForTheVocabularyIsAFault) {
  ModelConfig config = load_model_config(folder_);
  config.vocabulary = 100;
  write_model_config(folder_, config);
  const FolderSummary summary = inspect();
  ASSERT_EQ(summary.faults.size(), 1u);
  EXPECT_NE(summary.faults[0].find("100 rows"), std::string::npos);
  EXPECT_EQ(summary.files[0].differences.size(), 2u);  // embedding and head are misshapen
}

TEST(DifferenceGroupsTest, LayersThatDifferAlikeShareALine) {
  const auto missing = [](const std::string& name, int64_t size) {
    return WeightDifference{DifferenceKind::missing, name, {size}, {}, ""};
  };
  std::vector<WeightDifference> differences = {{DifferenceKind::extra, "spare", {}, {2}, "F32"}};
  for (const int layer : {0, 1, 2, 7, 10})
    differences.push_back(missing("layers." + std::to_string(layer) + ".norm", 3));
  differences.push_back(missing("layers.3.norm", 4));
  differences.push_back(missing("bias", 1));
  const std::vector<DifferenceGroup> groups = group_differences(differences);
  ASSERT_EQ(groups.size(), 4u);
  EXPECT_EQ(difference_text(groups[0].first), "missing layers.{0-2,7,10}.norm [3]");
  EXPECT_EQ(groups[0].count, 5);
  EXPECT_EQ(difference_text(groups[1].first), "missing layers.3.norm [4]");
  EXPECT_EQ(difference_text(groups[2].first), "missing bias [1]");
  EXPECT_EQ(difference_text(groups[3].first), "extra spare [2]");
  EXPECT_EQ(groups[3].count, 1);
}

}  // namespace
}  // namespace diptych
