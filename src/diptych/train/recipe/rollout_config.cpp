#include "diptych/train/recipe/rollout_config.h"

#include "diptych/base/config/require.h"
#include "diptych/base/error.h"
#include "diptych/base/text_format.h"
#include "diptych/flow/timestep_grid.h"
#include "diptych/shapes/reflection/reflection.h"
#include "diptych/text/system_prompt.h"

namespace diptych {

namespace {

// Lower ones blow up the rounding of logits, and at last the logits themselves.
constexpr double kLowestTemperature = 1e-3;

std::string system_prompt_text(const std::string& name) {
  if (name == "none") return "";
  return name == "bagel" ? std::string(kGenerationSystemPrompt) : name;
}

std::string reflection_prompt_text(const std::string& name) {
  if (name == "shapes") return shapes::reflection_prompt("{prompt}");
  return name == "bagel" ? std::string(kReflectionPrompt) : name;
}

std::string review_prompt_text(const std::string& name) {
  if (name == "shapes") return shapes::review_prompt("{prompt}");
  return name == "bagel" ? std::string(kReviewPrompt) : name;
}

RenormType renorm_named(const std::string& name) {
  if (name == "channel") return RenormType::channel;
  return name == "text_channel" ? RenormType::text_channel : RenormType::global;
}

void check_window(const RolloutConfig& config) {
  const std::vector<int64_t>& range = config.window_range;
  const int64_t updates = config.updates - (config.updates_are_points ? 1 : 0);
  // In this order nothing overflows, whatever the numbers.
  const bool fits = range.size() == 2 && range[0] >= 0 && range[0] <= updates && range[1] <= updates &&
                    range[1] >= range[0] + config.window_size;
  require(fits, "rollout.window_range",
          cat("[low, high] within the ", updates, " updates and at least window_size = ", config.window_size, " wide"),
          "[" + join(range, ", ") + "]", "");
}

void check_interval(const std::vector<double>& interval, const std::string& key) {
  const bool is_one = interval.size() == 2 && interval[0] >= 0 && interval[0] <= interval[1];
  require(is_one, key, "[low, high] with 0 <= low <= high", "[" + join(interval, ", ") + "]", "");
}

Guidance guidance_of(const GuidanceConfig& config) {
  return {.text_scale = config.text_scale,
          .image_scale = config.image_scale,
          .interval_low = config.interval[0],
          .interval_high = config.interval[1],
          .renorm_min = config.renorm_min,
          .renorm = renorm_named(config.renorm)};
}

}  // namespace

void check(const RolloutConfig& rollout) {
  check_window(rollout);
  require(rollout.temperature == 0 || rollout.temperature >= kLowestTemperature, "rollout.temperature",
          cat("0, or at least ", kLowestTemperature), cat(rollout.temperature), "0 takes the most probable token");
  check_interval(rollout.guidance.interval, "rollout.guidance.interval");
  check_interval(rollout.edit_guidance.interval, "rollout.edit_guidance.interval");
}

EpisodeOptions episode_options(const RolloutConfig& config, int64_t updates) {
  check(config);
  require(updates != 1 || !config.updates_are_points, "eval.updates",
          "0, or at least 2: rollout.updates_are_points counts points", "1", "");
  EpisodeOptions options;
  options.program = episode_program(config.episode);
  options.system_prompt = system_prompt_text(config.system_prompt);
  options.reflection_prompt = reflection_prompt_text(config.reflection_prompt);
  options.review_prompt = review_prompt_text(config.review_prompt);
  options.text.temperature = config.temperature;
  options.text.top_p = config.top_p;
  options.text.top_k = config.top_k;
  options.text.max_tokens = config.max_think_tokens;
  const int64_t count = updates > 0 ? updates : config.updates;
  options.schedule.grid = timestep_grid(count + (config.updates_are_points ? 0 : 1), config.timestep_shift);
  options.schedule.noise_level = config.noise_level;
  options.guidance = guidance_of(config.guidance);
  options.edit_guidance = guidance_of(config.edit_guidance);
  options.image_height = config.image_size;
  options.image_width = config.image_size;
  options.chains_per_pack = config.chains_per_pack;
  return options;
}

void check_image_size(const RolloutConfig& config, const ModelConfig& model) {
  const int64_t unit = latent_token_pixels(model);
  if (config.image_size % unit == 0 && config.image_size / unit <= model.max_latent_size) return;
  throw Error(ExitCode::config,
              {"rollout.image_size", cat("a multiple of ", unit, " up to ", unit * model.max_latent_size, " pixels"),
               cat(config.image_size), ""});
}

}  // namespace diptych
