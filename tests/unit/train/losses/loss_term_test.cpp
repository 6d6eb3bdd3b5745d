// What follows from the list of losses.
#include "diptych/tensor/torch.h"

#include "diptych/train/losses/loss_term.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "diptych/base/config/config.h"
#include "diptych/train/recipe/rl_config.h"

namespace diptych {
namespace {

/** In messages, and of additions: the bits of a run depend on it. */
TEST(LossTermTest, TheOrderOfTheFirstTermsStays) {
  const std::vector<std::string> first = {"text", "image", "velocity_mse", "latent_kl", "text_kl"};
  std::vector<std::string> names;
  for (const LossTerm& term : loss_terms())
    if (std::ranges::find(first, term.name) != first.end()) names.push_back(term.name);
  EXPECT_EQ(names, first);
}

TEST(LossTermTest, EveryTermIsWhole) {
  std::set<int> orders;
  for (const LossTerm& term : loss_terms()) {
    EXPECT_TRUE(orders.insert(term.order).second) << term.name;
    EXPECT_TRUE(term.weight != nullptr) << term.name;
    EXPECT_TRUE(term.of_windows != nullptr || term.of_texts != nullptr) << term.name;
    EXPECT_FALSE(term.is_penalty && term.first_ratio) << term.name << ": a penalty has no ratios";
  }
}

TEST(LossTermTest, WhatIsNeededFollowsFromTheWeights) {
  const auto needs = [](double text, double image, double mse, double kl, double text_kl) {
    const LossNeeds found = loss_needs({.text_weight = text,
                                        .image_weight = image,
                                        .velocity_mse_weight = mse,
                                        .latent_kl_weight = kl,
                                        .text_kl_weight = text_kl});
    return std::vector<bool>{found.logprobs, found.velocities, found.reference, found.trains_steps};
  };
  EXPECT_EQ(needs(0, 0, 0, 0, 0), (std::vector{false, false, false, false}));
  EXPECT_EQ(needs(1, 0, 0, 0, 0), (std::vector{true, false, false, false}));
  EXPECT_EQ(needs(0, 1, 0, 0, 0), (std::vector{false, true, false, true}));
  EXPECT_EQ(needs(0, 0, 1, 0, 0), (std::vector{false, true, true, false}));
  EXPECT_EQ(needs(0, 0, 0, 1, 0), (std::vector{false, true, true, false}));
  EXPECT_EQ(needs(0, 0, 0, 0, 1), (std::vector{true, false, true, false}));
}

struct TrialKeys {
  double weight = 0;
  int64_t draws = 8;
};

void visit(ConfigFields& fields, TrialKeys& keys) {
  fields.range("weight", keys.weight, 0, 1e6, "of the trial loss", Change::recorded);
  fields.range("draws", keys.draws, 1, 100, "noisy copies of a picture", Change::recorded);
}

TEST(LossTermTest, ALossMayBringASectionOfItsOwn) {
  RlTrainConfig train;
  train.losses.emplace("trial", TrialKeys());
  const std::string text = print_config(train);
  EXPECT_NE(text.find("[trial]\n"), std::string::npos) << text;
  const RlTrainConfig changed = override_config(train, {"trial.weight=0.5", "trial.draws=3", "steps=7"});
  const TrialKeys keys = loss_options(changed).sections.at("trial").as<TrialKeys>();
  EXPECT_EQ(keys.weight, 0.5);
  EXPECT_EQ(keys.draws, 3);
  EXPECT_EQ(train.losses.at("trial").as<TrialKeys>().draws, 8) << "copies are apart";
}

}  // namespace
}  // namespace diptych
