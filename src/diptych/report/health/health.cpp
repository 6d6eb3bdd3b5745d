#include "diptych/report/health/health.h"

#include <algorithm>

#include "diptych/report/health/health_learning.h"
#include "diptych/report/health/health_policy.h"
#include "diptych/report/health/health_texts.h"

namespace diptych {

namespace {

/** Values of the metric with most of them, finite or not. */
size_t most_values(const Curves& curves, const std::vector<std::string_view>& names) {
  size_t most = 0;
  for (const std::string_view name : names) {
    const Series& values = series(curves, std::string(name));
    most = std::max(most, values.values.size() + values.not_finite.size());
  }
  return most;
}

}  // namespace

const std::vector<HealthRule>& health_rules() {
  static const std::vector<HealthRule> rules = {
      {"the reward rises", {"reward/mean"}, kStepsToJudge, flat_reward},
      {"the reward does not collapse", {"reward/mean"}, kStepsToJudge, fallen_reward},
      {"the held-out rate rises with the reward", {"eval/correct_explicit"}, 2, gamed_reward},
      {"held-out pictures do not get worse", {"eval/correct_explicit"}, 2, worse_held_out},
      {"no family of prompts is given up", {"eval/correct_explicit"}, 2, worse_family},
      {"the last evaluation is the best", {"eval/correct_explicit"}, 3, earlier_was_better},
      {"groups have a spread", {"reward/zero_spread_groups"}, 1, no_spread},
      {"chains of a group stay different", {"reward/group_std"}, kStepsToJudge / 2, lost_spread},
      {"all chains have a reward", {"reward/masked"}, 1, masked_rewards},
      {"the judge answers", {"judge/requests"}, 1, judge_trouble},
      {"losses fall", {"loss/cross_entropy", "loss/flow", "loss/total"}, kStepsToJudge, flat_loss},
      {"ratios start at 1", {"gate/first_text_ratio", "gate/first_image_ratio"}, 1, first_ratio},
      {"replay agrees with the sampler", {"gate/text_max", "gate/image_max"}, 1, gate_margin},
      {"few ratios are clipped", {"clip/text_above", "clip/image_above"}, 1, much_clipping},
      {"the clip is in reach", {"clip/text_above", "clip/image_above"}, 1, idle_clip},
      {"ratios stay near 1", {"ratio/text_max_abs_log"}, 1, far_ratio},
      {"texts stay near the start", {"loss/text_kl"}, 1, text_drift},
      {"pictures stay near the start", {"loss/velocity_mse", "loss/latent_kl"}, 30, image_drift},
      {"no update is refused", {"update/skipped"}, 1, skipped_updates},
      {"steps update the weights", {"update/applied"}, 1, idle_updates},
      {"gradients have no peaks",
       {"grad_norm/und", "grad_norm/gen", "grad_norm/all", "grad_norm"},
       30,
       gradient_spikes},
      {"gradients are rarely clipped",
       {"grad_norm/und", "grad_norm/gen", "grad_norm/all", "grad_norm"},
       1,
       clipped_gradients},
      {"every expert has a gradient", {"grad_norm/und", "grad_norm/gen", "grad_norm/all", "grad_norm"}, 1, no_gradient},
      {"Adam's epsilon is small enough",
       {"update/below_epsilon_share_und", "update/below_epsilon_share_gen"},
       1,
       below_epsilon},
      {"updates change the weights", {"update/changed_share_und", "update/changed_share_gen"}, 1, unchanged_weights},
      {"thoughts keep their length", {"think/length", "reflection/length"}, 20, shorter_texts},
      {"thoughts fit under the cap", {"think/length", "reflection/length"}, 1, longer_texts},
      {"thoughts keep their form", {"think/well_formed", "reflection/well_formed"}, 1, lost_form},
      {"thoughts ask for the right picture", {"eval/refined_correct"}, 2, wrong_thoughts},
      {"refinement repairs more than it spoils",
       {"refine/improved", "rounds/last_score", "eval/refine/after"},
       1,
       spoiling_refinement},
      {"refinement improves pictures", {"refine/improved"}, 1, failing_refinement},
      {"stops are at good pictures", {"rounds/stops"}, 1, false_stops},
      {"the model both stops and goes on", {"rounds/refinements"}, 1, one_sided_stops},
      {"all values are finite",
       {"reward/mean", "loss/flow", "loss/total", "grad_norm/all", "grad_norm"},
       1,
       not_finite},
      {"steps take equally long", {"time/step"}, 20, slow_steps}};
  return rules;
}

HealthReport check_health(const Curves& curves, const RecipeValues& recipe) {
  HealthReport report;
  for (const HealthRule& rule : health_rules()) {
    const size_t values = most_values(curves, rule.needs);
    if (values == 0) continue;
    if (values < rule.least_values) {
      report.not_checked.emplace_back(rule.checks);
      continue;
    }
    report.checked.emplace_back(rule.checks);
    for (Finding& finding : rule.find(curves, recipe)) report.findings.push_back(std::move(finding));
  }
  std::stable_sort(report.findings.begin(), report.findings.end(), [](const Finding& a, const Finding& b) {
    return a.severity == Severity::alarm && b.severity == Severity::watch;
  });
  return report;
}

}  // namespace diptych
