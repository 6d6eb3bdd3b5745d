#include "diptych/report/health/health_policy.h"

#include <algorithm>
#include <cmath>

#include "diptych/base/text_format.h"
#include "diptych/report/html/number_text.h"

namespace diptych {

namespace {

// docs/metrics.md, Gates: the limits of gate A, beyond which the run stops.
constexpr double kFirstTextRatioLimit = 1e-4;
constexpr double kFirstImageRatioLimit = 0.05;
constexpr double kRoundingMargin = 0.1;  // of such a limit: what different kernels may do
constexpr double kNearGate = 0.5;        // of a tolerance: twice as much would stop the run
constexpr double kTextClips = 0.3;       // docs/metrics.md: above, the update is too large for the clip
constexpr double kImageClips = 0.8;      // up to .4 is normal with several updates
constexpr double kFarRatio = 1;          // |log ratio|: a token became e times as likely within one rollout
constexpr double kTextKlAlarm = 1;       // nats per token: the text policy has left the reference
constexpr double kTextKlSmall = 0.2;     // growth below this is ordinary learning (.01 to .05 is normal)
constexpr double kVelocitySmall = 0.1;   // .05 to .09 is normal after 300 steps
constexpr double kLatentKlSmall = 0.02;  // .002 to .01 is normal
constexpr double kFastGrowth = 3;        // times the value of the middle of the run
constexpr double kIdleShare = 0.2;       // of the steps
constexpr double kSpike = 10;            // times the median
constexpr double kSpikeShare = 0.01;     // of the steps; single ones are ordinary
constexpr size_t kFewestSpikes = 3;
constexpr double kMostlyClipped = 0.5;     // of the steps
constexpr double kManyBelowEpsilon = 0.5;  // a quarter is ordinary: parts that an episode does not use have no gradient
constexpr double kFewChanged = 0.1;
constexpr double kMiddle = 0.5;  // share of the run without warm-up and the end of the decay
constexpr double kSlow = 3;      // times the median step
constexpr double kSlowShare = 0.02;

struct Expert {
  const char* key;   // of metrics
  const char* name;  // in sentences
  const char* rate;  // recipe key of its learning rate
};
constexpr Expert kExperts[] = {
    {"und", "understanding expert", "train.und_learning_rate"},
    {"gen", "generation expert", "train.gen_learning_rate"},
};

/** Gradient norms of all kinds of training, each with what it belongs to. */
constexpr std::pair<const char*, const char*> kGradients[] = {
    {"grad_norm/und", "the understanding expert"},
    {"grad_norm/gen", "the generation expert"},
    {"grad_norm/all", "the model"},
    {"grad_norm", "the autoencoder"},
};

size_t count_above(const Series& series, double limit) {
  return static_cast<size_t>(
      std::count_if(series.values.begin(), series.values.end(), [&](double value) { return value > limit; }));
}

double share_above(const Series& series, double limit) {
  return series.values.empty()
             ? 0
             : static_cast<double>(count_above(series, limit)) / static_cast<double>(series.values.size());
}

bool has_several_updates(const RecipeValues& recipe) {
  return recipe_number(recipe, "train.mini_batches", 1) * recipe_number(recipe, "train.epochs", 1) > 1;
}

bool grows_fast(const Series& series, double small) {
  const double late = mean(last_part(series, 0.1));
  return series.values.size() >= 30 && late > small && late > kFastGrowth * mean(middle_part(series, 0.2));
}

}  // namespace

Findings first_ratio(const Curves& curves, const RecipeValues&) {
  Findings findings;
  const auto check = [&](const char* name, double limit, const char* what) {
    const double worst = largest(series(curves, name).values);
    if (worst <= kRoundingMargin * limit) return;
    findings.push_back({Severity::alarm,
                        cat("On the first update after a rollout the ", what, " ratio was not 1: `", name, "` reached ",
                            number_text(worst), ", the limit is ", number_text(limit), "."),
                        "Training does not see the chains as they were sampled, so every gradient is a little wrong.",
                        "This is a defect, not a setting: run `diptych verify`, and report it with the recipe."});
  };
  check("gate/first_text_ratio", kFirstTextRatioLimit, "text");
  check("gate/first_image_ratio", kFirstImageRatioLimit, "image");
  return findings;
}

Findings gate_margin(const Curves& curves, const RecipeValues& recipe) {
  Findings findings;
  const auto check = [&](const char* name, const char* key, double otherwise) {
    const double limit = recipe_number(recipe, key, otherwise);
    const double worst = largest(series(curves, name).values);
    if (worst <= kNearGate * limit) return;
    findings.push_back({Severity::watch,
                        cat("`", name, "` reached ", number_text(worst), " of its tolerance ", number_text(limit), "."),
                        "Sampler and replay disagree more than rounding explains; beyond the tolerance the run stops.",
                        cat("Keep `train.old_logprob=replay`, compute in fp32, or, if the clip is narrow on purpose, "
                            "raise `",
                            key, "`.")});
  };
  const bool rounds = recipe_text(recipe, "run.dtype") == "bfloat16";
  check(rounds ? "gate/text_mean" : "gate/text_max", "train.gate_text", 0.05);
  check("gate/image_max", "train.gate_image", 0.5);
  return findings;
}

Findings much_clipping(const Curves& curves, const RecipeValues&) {
  Findings findings;
  const auto check = [&](const char* what, double limit, const char* advice) {
    const double share = mean(last_part(series(curves, cat("clip/", what, "_above")), kQuarter)) +
                         mean(last_part(series(curves, cat("clip/", what, "_below")), kQuarter));
    if (share <= limit) return;
    findings.push_back({Severity::watch,
                        cat(percent_text(share), " of the ", what, " ratios of the last steps were clipped."),
                        "The updates are too large for the clip: most terms of the loss give no gradient.", advice});
  };
  check("text", kTextClips, "Lower `train.und_learning_rate`, or make fewer updates per rollout.");
  check(
      "image", kImageClips,
      "Check that `train.scale_with_geometry` is true; else lower `train.gen_learning_rate` or make fewer updates per "
      "rollout.");
  return findings;
}

Findings idle_clip(const Curves& curves, const RecipeValues& recipe) {
  if (!has_several_updates(recipe)) return {};
  Findings findings;
  for (const char* what : {"text", "image"}) {
    const Series& above = series(curves, cat("clip/", what, "_above"));
    const Series& below = series(curves, cat("clip/", what, "_below"));
    if (above.values.empty() || largest(above.values) > 0 || largest(below.values) > 0) continue;
    findings.push_back(
        {Severity::watch, cat("With several updates per rollout no ", what, " ratio ever met the clip."),
         "The updates are small against the clip, which therefore does nothing.",
         cat("Raise the learning rate, or narrow `train.", what, "_clip_low` and `train.", what, "_clip_high`.")});
  }
  return findings;
}

Findings far_ratio(const Curves& curves, const RecipeValues&) {
  const Series& ratio = series(curves, "ratio/text_max_abs_log");
  const double late = median(last_part(ratio, kQuarter));
  if (late <= kFarRatio) return {};
  return {{Severity::watch,
           cat("Within a rollout some token's probability changes by a factor of ", number_text(std::exp(late)), "."),
           "The updates of a rollout lead far from the policy that sampled it.",
           "Lower `train.und_learning_rate`, or make fewer updates per rollout."}};
}

Findings text_drift(const Curves& curves, const RecipeValues&) {
  const Series& kl = series(curves, "loss/text_kl");
  if (kl.values.empty()) return {};
  const double late = mean(last_part(kl, 0.1));
  if (late <= kTextKlAlarm && !grows_fast(kl, kTextKlSmall)) return {};
  return {{late > kTextKlAlarm ? Severity::alarm : Severity::watch,
           cat("`loss/text_kl` has come to ", number_text(late), " nats per token, from ",
               number_text(mean(middle_part(kl, 0.2))), " in the middle of the run."),
           "The thoughts leave the language of the base model, which is how a hack or a collapse of texts begins.",
           "Read the thoughts below. Raise `train.text_kl_weight` or lower `train.und_learning_rate`."}};
}

Findings image_drift(const Curves& curves, const RecipeValues&) {
  Findings findings;
  const auto check = [&](const char* name, double small) {
    const Series& distance = series(curves, name);
    if (!grows_fast(distance, small)) return;
    findings.push_back({Severity::alarm,
                        cat("`", name, "` grew from ", number_text(mean(middle_part(distance, 0.2))),
                            " in the middle of the run to ", number_text(mean(last_part(distance, 0.1))), "."),
                        "The image expert runs away from the reference; pictures will lose quality even where the "
                        "reward does not see it.",
                        "Raise `train.velocity_mse_weight` or lower `train.gen_learning_rate`."});
  };
  check("loss/velocity_mse", kVelocitySmall);
  check("loss/latent_kl", kLatentKlSmall);
  return findings;
}

Findings skipped_updates(const Curves& curves, const RecipeValues&) {
  const Series& skipped = series(curves, "update/skipped");
  if (sum(skipped.values) == 0) return {};
  const auto first = std::find_if(skipped.values.begin(), skipped.values.end(), [](double n) { return n > 0; });
  return {
      {Severity::alarm,
       cat(count_text(static_cast<int64_t>(sum(skipped.values)), "update"), sum(skipped.values) == 1 ? " was" : " were",
           " refused because a loss or gradient was not finite, first "
           "at step ",
           skipped.steps[static_cast<size_t>(first - skipped.values.begin())], "."),
       "The weights were left as they were. Numbers overflow somewhere.",
       "Look into `non_finite_step_N.json` in the run folder; lower the learning rates."}};
}

Findings idle_updates(const Curves& curves, const RecipeValues&) {
  const Series& applied = series(curves, "update/applied");
  if (applied.values.empty()) return {};
  const double idle = 1 - share_above(applied, 0);
  if (idle <= kIdleShare) return {};
  return {{idle == 1 ? Severity::alarm : Severity::watch,
           cat("In ", percent_text(idle), " of the steps nothing was updated."),
           "No group had a spread of rewards, or all updates were refused.",
           "See `reward/zero_spread_groups`, `reward/masked` and `update/skipped`."}};
}

Findings gradient_spikes(const Curves& curves, const RecipeValues& recipe) {
  Findings findings;
  for (const auto& [name, what] : kGradients) {
    const Series& norm = series(curves, name);
    const double usual = median(norm.values);
    const size_t spikes = count_above(norm, kSpike * usual);
    const double share = static_cast<double>(spikes) / static_cast<double>(std::max<size_t>(norm.values.size(), 1));
    if (usual == 0 || spikes < kFewestSpikes || share < kSpikeShare) continue;
    findings.push_back(
        {Severity::watch,
         cat("The gradient of ", what, " jumped above ", number_text(kSpike), " times its median (", number_text(usual),
             ") in ", spikes, " steps, up to ", number_text(largest(norm.values)), "."),
         "Single steps move the weights much more than the others, mostly on rare texts or outliers.",
         cat("Lower `optimizer.max_grad_norm` (now ", number_text(recipe_number(recipe, "optimizer.max_grad_norm", 1)),
             ") to about ", number_text(5 * usual), ", so that they are clipped.")});
  }
  return findings;
}

Findings clipped_gradients(const Curves& curves, const RecipeValues& recipe) {
  const double limit = recipe_number(recipe, "optimizer.max_grad_norm", 0);
  if (limit <= 0) return {};
  Findings findings;
  for (const auto& [name, what] : kGradients) {
    const Series& norm = series(curves, name);
    const double share = share_above(norm, limit);
    if (share <= kMostlyClipped) continue;
    findings.push_back(
        {Severity::watch,
         cat("The gradient of ", what, " was above `optimizer.max_grad_norm` = ", number_text(limit), " in ",
             percent_text(share), " of the steps."),
         "Clipping sets the size of the step, not the gradient.",
         cat("Raise the limit above the median ", number_text(median(norm.values)), ", or lower the learning rate.")});
  }
  return findings;
}

Findings no_gradient(const Curves& curves, const RecipeValues&) {
  Findings findings;
  for (const auto& [name, what] : kGradients) {
    const Series& norm = series(curves, name);
    if (norm.values.empty() || median(norm.values) > 0) continue;
    findings.push_back({Severity::alarm, cat("The gradient of ", what, " is 0."), "It does not learn.",
                        "Check `train.parameters` and the loss weights. A fresh model from `init` paints nothing yet: "
                        "train it by `sft` first."});
  }
  return findings;
}

Findings below_epsilon(const Curves& curves, const RecipeValues&) {
  Findings findings;
  for (const Expert& expert : kExperts) {
    const double share = median(last_part(series(curves, cat("update/below_epsilon_share_", expert.key)), kMiddle));
    if (share <= kManyBelowEpsilon) continue;
    findings.push_back({Severity::watch,
                        cat("For ", percent_text(share), " of the weights of the ", expert.name,
                            " the gradients are smaller than Adam's epsilon."),
                        "Their steps are much smaller than the learning rate says.", "Lower `optimizer.epsilon`."});
  }
  return findings;
}

Findings unchanged_weights(const Curves& curves, const RecipeValues&) {
  Findings findings;
  for (const Expert& expert : kExperts) {
    const Series& changed = series(curves, cat("update/changed_share_", expert.key));
    const double share = median(middle_part(changed, kMiddle));
    if (changed.values.empty() || share >= kFewChanged) continue;
    findings.push_back(
        {Severity::alarm,
         cat("An update changes only ", percent_text(share), " of the stored weights of the ", expert.name, "."),
         "Steps are below the resolution of the stored numbers and round away.",
         cat("Keep trained weights in fp32, and raise `", expert.rate, "`.")});
  }
  return findings;
}

Findings not_finite(const Curves& curves, const RecipeValues&) {
  Findings findings;
  for (const auto& [name, values] : curves) {
    if (values.not_finite.empty()) continue;
    findings.push_back(
        {Severity::alarm,
         cat("`", name, "` was not finite in ", count_text(static_cast<int64_t>(values.not_finite.size()), "step"),
             ", first at step ", values.not_finite.front(), "."),
         "Something overflowed or was divided by 0.",
         "Lower the learning rate; if it happens in the first steps, report it with the recipe."});
  }
  return findings;
}

Findings slow_steps(const Curves& curves, const RecipeValues&) {
  const Series& time = series(curves, "time/step");
  const double usual = median(time.values);
  if (usual == 0 || share_above(time, kSlow * usual) < kSlowShare) return {};
  return {{Severity::watch,
           cat(percent_text(share_above(time, kSlow * usual)), " of the steps took more than three times the usual ",
               number_text(usual), " s."),
           "Other programs used the processor, or the judge was slow; results are not affected.",
           "Give the run its own cores (`run.threads`), see `time/rollout`, `time/reward` and `time/update`."}};
}

}  // namespace diptych
