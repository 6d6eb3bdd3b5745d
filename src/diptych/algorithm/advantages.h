#pragma once
// Group-relative advantages from scalar rewards.

#include <cstdint>
#include <span>
#include <vector>

namespace diptych {

/** What the reward minus its group mean is divided by: the standard deviation of the group, or of the whole round. */
enum class StdScope { group, round };

struct AdvantageOptions {
  StdScope std_scope = StdScope::group;
  double epsilon = 1e-4;   // added to the standard deviation
  double clamp = 0;        // |advantage| is limited to this; 0 means no limit
  bool mean_only = false;  // Dr.GRPO: no division
};

/** One group of samples, usually all chains of one prompt. */
struct GroupStatistics {
  int64_t group = 0;  // its id
  int64_t size = 0;
  int64_t valid = 0;         // samples that have a reward
  double mean = 0;           // over valid samples, 0 if there are none
  double std = 0;            // population form
  bool zero_spread = false;  // the group tells nothing: its advantages are all 0
};

struct Advantages {
  std::vector<double> values;           // one per sample, in the order of the rewards
  std::vector<GroupStatistics> groups;  // in ascending order of the id
  int64_t valid_samples = 0;
  int64_t zero_spread_groups = 0;
};

/** A = (r - mean of the group) / (population std + epsilon), over valid samples only (UniGRPO Eq. 1).
 *  rewards, groups: one per sample, any order and group sizes. valid: one per sample, or empty if all are valid; an
 *  invalid sample enters no mean and no std, whatever its stored reward, and gets 0. Groups whose valid rewards are all
 *  equal, also groups of one, get exactly 0 and are flagged.
 *  Throws Error(numerics) if a valid reward is not finite, or above 1e100. */
Advantages group_advantages(std::span<const double> rewards, std::span<const int64_t> groups,
                            const std::vector<bool>& valid, const AdvantageOptions& options);

/** The same with a given baseline per sample in place of the group mean (AlphaGRPO, stage-1 reward). A group is flagged
 *  if its valid rewards all equal their baselines, or if the standard deviation to divide by is that of equal rewards;
 *  equal rewards off the baseline thus still count with StdScope::round or mean_only. */
Advantages baseline_advantages(std::span<const double> rewards, std::span<const double> baselines,
                               std::span<const int64_t> groups, const std::vector<bool>& valid,
                               const AdvantageOptions& options);

/** GDPO: every reward is normalised by itself within its group, then A = sum_k weights[k] A_k, then the clamp. A sample
 *  is valid for all rewards or none. A reward of weight 0 is not looked at. A group is flagged if its sums are all 0;
 *  `mean` and `std` are those of the weighted sum of the rewards. rewards: [reward][sample]. */
Advantages gdpo_advantages(const std::vector<std::vector<double>>& rewards, std::span<const double> weights,
                           std::span<const int64_t> groups, const std::vector<bool>& valid,
                           const AdvantageOptions& options);

/** Valid values made zero-mean and unit-std over the round (population form, epsilon added to the std); invalid ones
 *  are 0. The last, optional step of GDPO. */
std::vector<double> round_zscore(std::span<const double> values, const std::vector<bool>& valid, double epsilon);

/** Each value limited to [-limit, limit]; limit 0 returns them unchanged. */
std::vector<double> clamp_advantages(std::span<const double> values, double limit);

}  // namespace diptych
