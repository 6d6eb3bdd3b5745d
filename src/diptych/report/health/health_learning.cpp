#include "diptych/report/health/health_learning.h"

#include <algorithm>
#include <cmath>

#include "diptych/base/text_format.h"
#include "diptych/report/html/number_text.h"

namespace diptych {

namespace {

constexpr double kClear = 2;             // standard errors: reached by chance in one flat run of forty
constexpr double kLostGain = 0.5;        // of the best gain: what is more than a dip
constexpr double kManyZeroSpread = 0.5;  // docs/metrics.md: above, half of the work of a step is lost
constexpr double kSpreadLeft = 1.0 / 3;  // of the spread at the start
constexpr double kMaskedAlarm = 0.05;    // of the chains; a few can be timeouts, so many are an outage
constexpr double kManyRetries = 0.2;     // of the requests; each costs a whole time limit at worst
constexpr double kNearLimit = 0.8;       // of the judge's time limit
constexpr double kFewestOfFamily = 6;    // pools are balanced over at most so many families
constexpr double kManyFamilies = 1.5;    // wider noise, as the worst of ten families is looked at

/** Two standard errors of the difference of two rates on the same prompts, where a quarter of the verdicts change. */
double rate_noise(double prompts) {
  return 1 / std::sqrt(std::max(prompts, 1.0));
}

double pool_size(const RecipeValues& recipe) {
  return recipe_number(recipe, "eval.prompts", 512);
}

/** Mean of both pools' correct-rates at every evaluation. */
Series held_out(const Curves& curves) {
  const Series& explicit_pool = series(curves, "eval/correct_explicit");
  const Series& implicit_pool = series(curves, "eval/correct_implicit");
  Series both;
  for (size_t i = 0; i < std::min(explicit_pool.values.size(), implicit_pool.values.size()); ++i) {
    both.steps.push_back(explicit_pool.steps[i]);
    both.values.push_back((explicit_pool.values[i] + implicit_pool.values[i]) / 2);
  }
  return both;
}

double gain(const Series& series) {
  return series.values.size() < 2 ? 0 : series.values.back() - series.values.front();
}

std::string from_to(double before, double after) {
  return cat("from ", number_text(before), " to ", number_text(after));
}

}  // namespace

Findings flat_reward(const Curves& curves, const RecipeValues& recipe) {
  const Series& reward = series(curves, "reward/mean");
  if (reward.values.size() < kStepsToJudge) return {};
  const auto first = first_part(reward, kQuarter), last = last_part(reward, kQuarter);
  if (std::abs(separation(first, last)) >= kClear) return {};
  if (gain(held_out(curves)) > rate_noise(2 * pool_size(recipe))) return {};
  return {
      {Severity::alarm,
       cat("The reward has not risen in ", reward.values.size(), " steps: ", number_text(mean(first)),
           " on average in the first quarter, ", number_text(mean(last)), " in the last."),
       "The difference is within the noise of the prompts: nothing has been learnt yet.",
       "Look whether there is a signal (`reward/group_std` above 0, `grad_norm/*` not 0), then raise "
       "`train.gen_learning_rate` and `train.und_learning_rate`. Run `diptych doctor`, whose trivial reward a working "
       "set-up raises soon: if it rises, the reward is too hard; if not, something is broken."}};
}

Findings fallen_reward(const Curves& curves, const RecipeValues&) {
  const Series& reward = series(curves, "reward/mean");
  if (reward.values.size() < kStepsToJudge) return {};
  const std::vector<double> smooth =
      running_mean(reward.values, std::max<int64_t>(smoothing_width(reward.values.size()), 11));
  const size_t best = static_cast<size_t>(std::max_element(smooth.begin(), smooth.end()) - smooth.begin());
  const auto start = first_part(reward, 0.1), end = last_part(reward, 0.1);
  const double lost = smooth[best] - mean(end);
  const double won = smooth[best] - mean(start);
  const double noise = kClear * 2 * deviation(end) / std::sqrt(static_cast<double>(end.size()));
  if (lost < noise || lost < kLostGain * won) return {};
  return {{Severity::alarm,
           cat("The reward fell ", from_to(smooth[best], mean(end)), " after its best, near step ", reward.steps[best],
               "; it began at ", number_text(mean(start)), "."),
           "The policy has moved to where the reward is lower: a collapse, most often from too large steps.",
           cat("Continue from a checkpoint before step ", reward.steps[best],
               " with about a third of both learning rates, and with `train.velocity_mse_weight` and "
               "`train.text_kl_weight` above 0.")}};
}

Findings gamed_reward(const Curves& curves, const RecipeValues& recipe) {
  const Series& reward = series(curves, "reward/mean");
  const Series correct = held_out(curves);
  if (reward.values.size() < kStepsToJudge / 2 || correct.values.size() < 2) return {};
  const auto first = first_part(reward, kQuarter), last = last_part(reward, kQuarter);
  const double noise = rate_noise(2 * pool_size(recipe));
  if (separation(first, last) < kClear || gain(correct) > 0) return {};
  const bool fell = gain(correct) < -noise;
  return {{fell ? Severity::alarm : Severity::watch,
           cat("The training reward rose ", from_to(mean(first), mean(last)), " while the held-out correct-rate ",
               fell ? "fell " : "did not rise: ", from_to(correct.values.front(), correct.values.back()), "."),
           fell ? "The reward is being gamed: the model finds pictures that please it without being right."
                : "What the reward asks for is not what the prompts ask for, or the gain does not carry over to new "
                  "prompts.",
           "Look at the pictures below. Mend the reward, or hold the model closer to its start: raise "
           "`train.velocity_mse_weight` and, where the hack is in the words, `train.text_kl_weight`."}};
}

Findings worse_held_out(const Curves& curves, const RecipeValues& recipe) {
  Findings findings;
  for (const char* pool : {"explicit", "implicit"}) {
    const Series& correct = series(curves, cat("eval/correct_", pool));
    if (gain(correct) >= -rate_noise(pool_size(recipe))) continue;
    findings.push_back({Severity::alarm,
                        cat("The held-out correct-rate of ", pool, " prompts fell ",
                            from_to(correct.values.front(), correct.values.back()), "."),
                        "The model paints worse than before training.",
                        "Use an earlier checkpoint; lower the learning rates or train for fewer steps."});
  }
  return findings;
}

Findings worse_family(const Curves& curves, const RecipeValues& recipe) {
  const double noise = kManyFamilies * rate_noise(pool_size(recipe) / kFewestOfFamily);
  Findings findings;
  for (auto curve = curves.lower_bound("eval/family/"); curve != curves.end(); ++curve) {
    if (!curve->first.starts_with("eval/family/")) break;
    if (gain(curve->second) >= -noise) continue;
    findings.push_back(
        {Severity::watch,
         cat("The family `", curve->first.substr(std::string("eval/family/").size()), "` fell ",
             from_to(curve->second.values.front(), curve->second.values.back()), " on held-out prompts."),
         "The mean hides that this skill was traded for others.",
         "Give such prompts more weight in training, or a reward that is not satisfied without them."});
  }
  return findings;
}

Findings earlier_was_better(const Curves& curves, const RecipeValues& recipe) {
  const Series correct = held_out(curves);
  if (correct.values.size() < 3) return {};
  const auto best = std::max_element(correct.values.begin(), correct.values.end());
  if (*best - correct.values.back() <= rate_noise(2 * pool_size(recipe))) return {};
  const int64_t step = correct.steps[static_cast<size_t>(best - correct.values.begin())];
  return {{Severity::watch,
           cat("The held-out correct-rate was ", number_text(*best), " at step ", step, " and is ",
               number_text(correct.values.back()), " at the end."),
           "Training went on past its best.",
           cat("Use the checkpoint nearest to step ", step,
               " if it was kept (`run.keep_checkpoints`), or train again with fewer steps.")}};
}

Findings no_spread(const Curves& curves, const RecipeValues&) {
  const Series& zero = series(curves, "reward/zero_spread_groups");
  const double share = mean(last_part(zero, kQuarter));
  if (zero.values.empty() || share <= kManyZeroSpread) return {};
  const Series& reward = series(curves, "reward/mean");
  const bool rose = separation(first_part(reward, kQuarter), last_part(reward, kQuarter)) >= kClear;
  return {{share > 0.9 ? Severity::alarm : Severity::watch,
           cat("In ", percent_text(share), " of the groups of the last steps all chains earned the same reward."),
           cat("Such groups give no gradient: most of the sampling is wasted. ",
               rose ? "As the reward has risen, the prompts have become too easy."
                    : "As the reward has not risen, the prompts are too hard, or the reward is too coarse."),
           rose ? "Train on harder prompts, or stop: this set is learnt."
                : "Take larger groups (`train.group_size`), a reward with steps between right and wrong, or prompts of "
                  "middle difficulty."}};
}

Findings lost_spread(const Curves& curves, const RecipeValues&) {
  const Series& spread = series(curves, "reward/group_std");
  if (spread.values.size() < kStepsToJudge / 2) return {};
  const double before = mean(first_part(spread, kQuarter)), after = mean(last_part(spread, 0.1));
  if (before == 0 || after > kSpreadLeft * before) return {};
  const Series& reward = series(curves, "reward/mean");
  if (separation(first_part(reward, kQuarter), last_part(reward, kQuarter)) >= kClear) return {};
  return {
      {Severity::alarm,
       cat("The spread of rewards inside a group shrank ", from_to(before, after), ", and the reward did not rise."),
       "The chains of a group have become alike without becoming good: the policy has collapsed, and little is left "
       "to learn from.",
       "Continue from an earlier checkpoint with lower learning rates, more noise (`rollout.noise_level`), or "
       "`rollout.temperature=1`."}};
}

Findings masked_rewards(const Curves& curves, const RecipeValues&) {
  const Series& masked = series(curves, "reward/masked");
  const double share = mean(masked.values);
  if (share == 0) return {};
  const auto steps = std::count_if(masked.values.begin(), masked.values.end(), [](double value) { return value > 0; });
  return {{share > kMaskedAlarm ? Severity::alarm : Severity::watch,
           cat(percent_text(share), " of all chains had no reward, in ", count_text(steps, "step"), "."),
           "They were left out, not counted as 0. If they are not a random sample, what is learnt is bent.",
           "Read the reward's messages in the log; for judges run `diptych judge check`."}};
}

Findings judge_trouble(const Curves& curves, const RecipeValues& recipe) {
  const double requests = sum(series(curves, "judge/requests").values);
  const double failed = sum(series(curves, "judge/failed").values);
  const double retries = sum(series(curves, "judge/retries").values);
  const double latency = mean(last_part(series(curves, "judge/latency_p95"), kQuarter));
  const double limit = recipe_number(recipe, "reward.judge.timeout_seconds", 120);
  Findings findings;
  if (failed > 0)
    findings.push_back({failed > kMaskedAlarm * requests ? Severity::alarm : Severity::watch,
                        cat(number_text(failed), " of ", number_text(requests),
                            " requests to the judge stayed without a reply after all tries."),
                        "Their samples were masked.", "Read the log, and run `diptych judge check`."});
  if (retries > kManyRetries * requests)
    findings.push_back({Severity::watch,
                        cat(number_text(retries), " retries on ", number_text(requests), " requests to the judge."),
                        "The server refuses or drops requests; every retry costs time.",
                        "Lower `reward.judge.concurrency`, or add a server to `reward.judge.endpoints`."});
  if (latency > kNearLimit * limit)
    findings.push_back({Severity::watch,
                        cat("The slowest replies of the judge take ", number_text(latency), " s of the ",
                            number_text(limit), " s allowed."),
                        "The server is overloaded; soon requests will be given up and repeated.",
                        "Lower `reward.judge.concurrency` or raise `reward.judge.timeout_seconds`."});
  return findings;
}

Findings flat_loss(const Curves& curves, const RecipeValues&) {
  Findings findings;
  for (const char* name : {"loss/cross_entropy", "loss/flow", "loss/total"}) {
    const Series& loss = series(curves, name);
    if (loss.values.size() < kStepsToJudge) continue;
    const auto first = first_part(loss, 0.1), last = last_part(loss, 0.1);
    if (separation(last, first) >= kClear) continue;
    findings.push_back({Severity::alarm, cat("`", name, "` did not fall: ", from_to(mean(first), mean(last)), "."),
                        "This part of the model does not learn.",
                        "Check the data (`diptych data check`), `train.parameters`, and the learning rate."});
  }
  return findings;
}

}  // namespace diptych
