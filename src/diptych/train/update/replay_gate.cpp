#include "diptych/train/update/replay_gate.h"

#include "diptych/base/error.h"
#include "diptych/base/text_format.h"

namespace diptych {

namespace {

// A NaN counts as the largest of all numbers.
bool exceeds(double value, double largest) {
  return !std::isnan(largest) && !(value <= largest);
}

}  // namespace

GateReport check_replay(const Rollout& rollout, const std::vector<size_t>& stages,
                        const std::vector<StageValues>& replayed, const UpdateOptions& options) {
  const std::vector<StageValues> sampled = sampler_values(rollout);
  const Tensor gains = at::tensor(window_gains(rollout.schedule), at::kDouble);
  const double clip = std::max(options.loss.image_clip.low, options.loss.image_clip.high);
  GateReport report;
  size_t text_stage = 0;
  size_t image_stage = 0;
  for (size_t index : stages) {
    if (replayed[index].logprobs.defined()) {
      const Tensor change = (replayed[index].logprobs.to(at::kDouble) - sampled[index].logprobs.to(at::kDouble)).abs();
      report.text_mean += change.sum().item<double>();
      report.tokens += static_cast<double>(change.numel());
      const double largest = change.max().item<double>();
      if (exceeds(largest, report.text_max)) {
        report.text_max = largest;
        text_stage = index;
      }
    }
    if (replayed[index].velocities.defined()) {
      const Tensor change = replayed[index].velocities.to(at::kDouble) - sampled[index].velocities.to(at::kDouble);
      const Tensor rms = change.square().mean({1, 2}).sqrt() * gains.abs();
      const double elements = static_cast<double>(change[0].numel());
      const double largest = rms.max().item<double>() / std::sqrt(elements) / clip;
      if (exceeds(largest, report.image_max)) {
        report.image_max = largest;
        image_stage = index;
      }
    }
  }
  if (report.tokens > 0) report.text_mean /= report.tokens;
  const double text_difference = options.gate_text_mean ? report.text_mean : report.text_max;
  if (text_difference <= options.gate_text && report.image_max <= options.gate_image) return report;
  const Stage& text = rollout.stages[text_stage];
  const Stage& image = rollout.stages[image_stage];
  throw Error(ExitCode::numerics,
              {"ratio gate B, replay against sampler",
               cat(options.gate_text_mean ? "mean " : "", "|log-prob difference| up to ", options.gate_text,
                   " and image difference up to ", options.gate_image, " clips"),
               cat("text ", options.gate_text_mean ? cat("mean ", report.text_mean, ", largest ") : "", report.text_max,
                   " (prompt ", text.prompt, ", sample ", text.sample, "), image ", report.image_max, " clips (prompt ",
                   image.prompt, ", sample ", image.sample, ")"),
               "the two passes disagree numerically: raise train.gate_text / train.gate_image only if you know why"});
}

std::map<std::string, double> largest_ratios(const LossReport& report, const LossOptions& options) {
  std::map<std::string, double> largest;
  for (const LossTerm& term : loss_terms()) {
    if (!term.first_ratio || !report.contains(term.name)) continue;
    const RatioStatistics& ratios = report.at(term.name).ratios;
    largest[term.name] =
        ratios.count == 0 ? 0 : ratios.max_abs_log_ratio.item<double>() / term.first_ratio->unit(options);
  }
  return largest;
}

void check_first_ratios(const std::map<std::string, double>& first) {
  bool fit = true;
  std::vector<std::string> found;
  for (const LossTerm& term : loss_terms()) {
    if (!first.contains(term.name)) continue;
    fit = fit && first.at(term.name) <= term.first_ratio->largest;
    found.push_back(cat(first.at(term.name), term.first_ratio->of));
  }
  if (fit) return;
  throw Error(ExitCode::numerics,
              {"ratio gate A, first update", "ratio 1: the policy has not moved since the old values were fixed",
               "|log ratio| up to " + join(found, " and "),
               "a forward pass that is not deterministic on this device; please report it"});
}

}  // namespace diptych
