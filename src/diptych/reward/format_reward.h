#pragma once
// Rewards for the form of the sampled texts. No judge.

#include <string_view>

#include "diptych/reward/candidate.h"
#include "diptych/reward/score.h"

namespace diptych {

/** AlphaGRPO's rule (rewards.py, think_tag_format_score): the text starts with <think> and ends with </think>, to the
 *  letter; but there must be a thought between them, or the shortest way to the reward is not to think. */
bool has_think_tags(std::string_view text);

/** The form of UniGRPO's chains: `<think> reasoning </think> answer`, well-formed (text/think.h), with a thought
 *  and an answer. */
bool has_think_answer(std::string_view text);

enum class FormatRule { think, think_answer };

/** Share of the candidate's texts that keep the rule; 0 for a candidate without texts. */
Score format_reward(const Candidate& candidate, FormatRule rule);

}  // namespace diptych
