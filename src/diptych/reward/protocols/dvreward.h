#pragma once
// DVReward (AlphaGRPO, arXiv 2605.12495): a request decomposed into atomic yes/no questions, each put to a judge.

#include <optional>
#include <string_view>
#include <vector>

#include "diptych/reward/protocols/yes_probability.h"
#include "diptych/reward/task.h"

namespace diptych {

/** AlphaGRPO's system prompt of the judge (rewards.py, Apache-2.0, Copyright 2026 AlphaGRPO Authors). */
inline constexpr std::string_view kDvRewardSystemPrompt =
    "You are an expert visual auditor. Your task is to strictly evaluate an AI-generated image against a specific "
    "question. Answer only with 'yes' or 'no'. Do not give other outputs or punctuation marks. If the subjects in the "
    "question don't exist, answer 'no'.";

enum class DvRewardAggregate {
  geometric,   // sqrt(S Q), S and Q the means over semantic and quality questions: the paper's
  arithmetic,  // (S + Q) / 2
  pooled,      // mean over all questions
  binary,      // geometric over hard answers, 1 where v > 0.5
};

/** The value of an empty list of questions. The released code indexes its first element and so raises; the value 1 that
 *  it names for that case is never reached. */
enum class EmptyList { one, error };

struct DvRewardOptions {
  YesNoOptions question;
  DvRewardAggregate aggregate = DvRewardAggregate::geometric;
  EmptyList empty_list = EmptyList::one;
};

/** The aggregate named "geometric", "arithmetic", "pooled" or "binary". Throws Error(config) for any other name. */
DvRewardAggregate dvreward_aggregate_kind(std::string_view name);

/** DVReward of the answers v in [0, 1]. Checks: "semantic" and "quality", the two means. An empty list has the mean 1
 *  under EmptyList::one; under EmptyList::error it throws Error(data). */
Score dvreward_aggregate(const std::vector<double>& semantic, const std::vector<double>& quality,
                         DvRewardAggregate aggregate, EmptyList empty_list);

/** The prompt's questions. Throws Error(data) if there are none, and for a kind that is neither "semantic" nor
 *  "quality". */
const std::vector<AtomicQuestion>& questions_of(const TaskPrompt& prompt);

/** One request for each candidate's last image and question, all in one call of `ask`. Checks: "semantic", "quality",
 *  then v of every question under its id. `raw_reply`: one yes_no_record a line. A question without an answer masks the
 *  candidate: its value would be another reward than its neighbours'. (The released code counts it as 0.) */
std::vector<Score> dvreward(const std::vector<ScoredPair>& pairs, const ChatFunction& ask,
                            const DvRewardOptions& options);

/** The plain alternative: v of one question about the whole prompt, `question` with {prompt} filled in. Check: "yes".
 *  Masked like dvreward. */
std::vector<Score> holistic_reward(const std::vector<ScoredPair>& pairs, const ChatFunction& ask,
                                   const std::string& question, const YesNoOptions& options);

}  // namespace diptych
