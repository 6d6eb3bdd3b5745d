#include "diptych/report/page/chains_section.h"

#include <gtest/gtest.h>

namespace diptych {
namespace {

StageData stage(int64_t group, int64_t sample, int64_t round, std::optional<double> score, bool valid = true) {
  StageData data;
  data.prompt = "prompt";
  data.group = group;
  data.sample = sample;
  data.round = round;
  data.score = score;
  data.valid = valid;
  return data;
}

TEST(ChainGroupsTest, AGroupIsSortedFromBestToWorst) {
  const RolloutData record{0,
                           {stage(1, 0, 0, 0.2), stage(0, 0, 0, 0.1), stage(0, 1, 0, 0.9), stage(0, 2, 0, {}, false)}};
  const std::vector<ChainGroup> groups = chain_groups(record, 1);
  ASSERT_EQ(groups.size(), 2u);
  ASSERT_EQ(groups[0].chains.size(), 3u);
  EXPECT_EQ(groups[0].chains[0].stages[0]->sample, 1);
  EXPECT_EQ(groups[0].chains[1].stages[0]->sample, 0);
  EXPECT_EQ(groups[0].chains[2].stages[0]->sample, 2);  // without a value
  EXPECT_FALSE(chain_value(groups[0].chains[2]));
}

TEST(ChainGroupsTest, RoundsOfAPromptAreOneChain) {
  // Episode rounds:2, so each prompt takes up three groups; rows are not in order.
  StageData stop = stage(2, 0, 2, {});
  stop.reward = 0.5;
  const RolloutData record{0,
                           {stage(1, 0, 1, 0.8), stage(0, 0, 0, 0.3), stage(3, 0, 0, 0.5), stage(0, 1, 0, 0.6), stop}};
  const std::vector<ChainGroup> groups = chain_groups(record, 3);
  ASSERT_EQ(groups.size(), 2u);
  ASSERT_EQ(groups[0].chains.size(), 2u);
  const ChainData& best = groups[0].chains[0];
  ASSERT_EQ(best.stages.size(), 3u);
  EXPECT_EQ(best.stages[0]->round, 0);
  EXPECT_EQ(best.stages[2]->round, 2);
  EXPECT_EQ(chain_value(best), 0.8);  // of the last picture; the stop behind it has a reward of its own
}

TEST(ChainGroupsTest, RewardsStandInForScores) {
  StageData data = stage(0, 0, 0, {});
  data.reward = 0.4;
  EXPECT_EQ(chain_value({{&data}}), 0.4);
}

}  // namespace
}  // namespace diptych
