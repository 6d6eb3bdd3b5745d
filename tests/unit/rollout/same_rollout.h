#pragma once

#include "diptych/tensor/torch.h"

#include <gtest/gtest.h>

#include "diptych/rollout/stage.h"
#include "support/compare.h"

namespace diptych {

inline void expect_equal(const Stage& actual, const Stage& expected, const std::string& where) {
  EXPECT_EQ(actual.prompt, expected.prompt) << where;
  EXPECT_EQ(actual.sample, expected.sample) << where;
  EXPECT_EQ(actual.round, expected.round) << where;
  EXPECT_EQ(actual.end, expected.end) << where;
  ASSERT_EQ(actual.text.has_value(), expected.text.has_value()) << where;
  if (actual.text) {
    EXPECT_EQ(actual.text->tokens, expected.text->tokens) << where;
    EXPECT_EQ(actual.text->logprobs, expected.text->logprobs) << where;  // bit for bit
  }
  ASSERT_EQ(actual.image.has_value(), expected.image.has_value()) << where;
  if (actual.image) {
    EXPECT_TRUE(same_bits(actual.image->latent, expected.image->latent)) << where;
    EXPECT_TRUE(same_bits(actual.image->states, expected.image->states)) << where;
    EXPECT_TRUE(same_bits(actual.image->nexts, expected.image->nexts)) << where;
    EXPECT_TRUE(same_bits(actual.image->velocities, expected.image->velocities)) << where;
  }
  EXPECT_EQ(actual.candidate.prompt, expected.candidate.prompt) << where;
  EXPECT_EQ(actual.candidate.texts, expected.candidate.texts) << where;
  ASSERT_EQ(actual.candidate.images.size(), expected.candidate.images.size()) << where;
  for (size_t k = 0; k < actual.candidate.images.size(); ++k)
    EXPECT_EQ(actual.candidate.images[k].pixels, expected.candidate.images[k].pixels) << where;
}

/** Bit for bit, stage by stage. */
inline void expect_equal(const Rollout& actual, const Rollout& expected) {
  ASSERT_EQ(actual.stages.size(), expected.stages.size());
  EXPECT_EQ(actual.contexts.size(), expected.contexts.size());
  for (size_t i = 0; i < actual.stages.size(); ++i)
    expect_equal(actual.stages[i], expected.stages[i], "stage " + std::to_string(i));
}

inline std::vector<size_t> all_stages(const Rollout& rollout) {
  std::vector<size_t> stages(rollout.stages.size());
  for (size_t i = 0; i < stages.size(); ++i) stages[i] = i;
  return stages;
}

}  // namespace diptych
