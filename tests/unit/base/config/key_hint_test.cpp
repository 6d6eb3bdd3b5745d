#include "diptych/base/config/key_hint.h"

#include <gtest/gtest.h>

namespace diptych {
namespace {

const std::set<std::string> kKnown = {"model",
                                      "run.dir",
                                      "run.seed",
                                      "prompts.path",
                                      "prompts.per_step",
                                      "train.steps",
                                      "train.group_size",
                                      "train.gen_learning_rate",
                                      "train.und_learning_rate",
                                      "train.text_kl_weight",
                                      "train.velocity_mse_weight",
                                      "optimizer.warmup_steps",
                                      "eval.every",
                                      "eval.updates",
                                      "eval.seed",
                                      "rollout.updates"};

std::string hint(const std::string& key) {
  return hint_at_keys(key, kKnown);
}

TEST(KeyHint, NamesOfOtherTrainersLeadToOurs) {
  for (const std::string key : {"train.lr", "train.learning_rate", "lr", "optimizer.lr", "actor.optim.lr"})
    EXPECT_EQ(hint(key), "did you mean 'train.gen_learning_rate' or 'train.und_learning_rate'?") << key;
  for (const std::string key : {"train.beta", "train.kl", "kl_loss_coef"})
    EXPECT_EQ(hint(key), "did you mean 'train.text_kl_weight' or 'train.velocity_mse_weight'?") << key;
  EXPECT_EQ(hint("train.batch_size"), "did you mean 'train.group_size'?");
  EXPECT_EQ(hint("batch_size"), "did you mean 'prompts.per_step' or 'train.group_size'?");
  EXPECT_EQ(hint("run.output_dir"), "did you mean 'run.dir'?");
  EXPECT_EQ(hint("optimizer.wd"), "`diptych recipe RECIPE` shows all keys of [optimizer]");  // none of ours here
  EXPECT_EQ(hint("train.max_steps"), "did you mean 'train.steps'?");
  EXPECT_EQ(hint("rollout.num_inference_steps"), "did you mean 'rollout.updates'?");
}

TEST(KeyHint, SimilarNamesOfTheSection) {
  EXPECT_EQ(hint("run.sede"), "did you mean 'run.seed'?");
  EXPECT_EQ(hint("run.sed"), "did you mean 'run.seed'?");
  EXPECT_EQ(hint("train.group_sizes"), "did you mean 'train.group_size'?");
  EXPECT_EQ(hint("modle"), "did you mean 'model'?");
}

TEST(KeyHint, WithoutASectionOfItsOwnItMayBeAnyKey) {
  EXPECT_EQ(hint("warmup_steps"), "did you mean 'optimizer.warmup_steps'?");
  EXPECT_EQ(hint("seed"), "did you mean 'eval.seed' or 'run.seed'?");
  EXPECT_EQ(hint("rnu.dir"), "did you mean 'run.dir'?");
  EXPECT_EQ(hint("trian.step"), "did you mean 'train.steps'?");
  EXPECT_EQ(hint("lora.targets"), "`diptych recipe RECIPE` shows all sections and keys");
}

TEST(KeyHint, NothingSimilarNamesNoKey) {
  EXPECT_EQ(hint("eval.source"), "`diptych recipe RECIPE` shows all keys of [eval]");
  EXPECT_EQ(hint("eval.path"), "`diptych recipe RECIPE` shows all keys of [eval]");
  EXPECT_EQ(hint("run." + std::string(1000, 'x')), "`diptych recipe RECIPE` shows all keys of [run]");
  EXPECT_EQ(hint(""), "`diptych recipe RECIPE` shows all sections and keys");
  EXPECT_EQ(hint_at_keys("x", {}), "`diptych recipe RECIPE` shows all sections and keys");
}

}  // namespace
}  // namespace diptych
