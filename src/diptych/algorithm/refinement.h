#pragma once
// False-Positive Rectification of AlphaGRPO's self-reflective refinement: a refined picture that is no better than the
// initial one must not earn a positive advantage only because the others of its group are worse still.

#include <cstdint>
#include <span>
#include <vector>

namespace diptych {

/** What the reward of a sample that does not improve, r <= r_initial, is replaced with. */
enum class FprRule {
  off,    // nothing
  code,   // the lowest r_initial of its group: with one initial picture per group this is max(r, r_initial), which
          // raises failures to a tie (AlphaGRPO's released code, tasks/reflect.py)
  paper,  // the lowest r of its group, which lowers them (the paper's wording, known from a digest)
};

/** The rewards after the rule, before advantages are computed. rewards, initial_rewards, groups: one per sample, of the
 *  refined picture, of the picture it refines, and the group id, in any order. valid: one per sample, or empty if all
 *  are valid; an invalid sample keeps its stored value and enters no minimum. */
std::vector<double> rectify(std::span<const double> rewards, std::span<const double> initial_rewards,
                            std::span<const int64_t> groups, const std::vector<bool>& valid, FprRule rule);

/** Whether any valid sample is better than its initial picture. AlphaGRPO drops a rollout round without one and draws
 *  another; asked before rectification. */
bool improves_anywhere(std::span<const double> rewards, std::span<const double> initial_rewards,
                       const std::vector<bool>& valid);

}  // namespace diptych
