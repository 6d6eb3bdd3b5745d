#include "diptych/train/rollout/rollout_record.h"

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>

#include "diptych/base/text_format.h"
#include "diptych/io/files.h"
#include "diptych/io/image/resize.h"
#include "diptych/rollout/stage_end_name.h"

namespace diptych {

namespace {

// Groups of a step that are kept: enough to look at, little enough to keep every one of them.
constexpr int64_t kRecordedPrompts = 4;
constexpr int kStripHeight = 256;

// Those of the prompt that the reward has an answer to.
std::vector<AtomicQuestion> asked_questions(const TaskPrompt& prompt, const Score& score) {
  std::vector<AtomicQuestion> questions = prompt.questions;
  std::erase_if(questions, [&](const AtomicQuestion& question) {
    return std::none_of(score.checks.begin(), score.checks.end(),
                        [&](const Check& check) { return check.name == question.id; });
  });
  return questions;
}

nlohmann::json stage_json(const RewardedRollout& rewarded, size_t i) {
  const Stage& stage = rewarded.rollout.stages[i];
  const Score& score = rewarded.scores[i];
  nlohmann::json line{{"prompt", stage.candidate.prompt},
                      {"group", rewarded.groups[i]},
                      {"sample", stage.sample},
                      {"round", stage.round},
                      {"texts", stage.candidate.texts},
                      {"end", stage_end_name(stage.end)},
                      {"valid", static_cast<bool>(rewarded.valid[i])},
                      {"reward", rewarded.valid[i] ? nlohmann::json(rewarded.rewards[i]) : nlohmann::json()},
                      {"advantage", rewarded.advantages.values[i]}};
  if (score.value) line["score"] = *score.value;
  if (rewarded.before[i]) line["score_before"] = *rewarded.before[i];
  if (!score.raw_reply.empty()) line["reply"] = score.raw_reply;
  for (const Check& check : score.checks) line["checks"].push_back({{"name", check.name}, {"value", check.value}});
  const TaskPrompt& prompt = rewarded.prompts[static_cast<size_t>(stage.prompt)];
  for (const AtomicQuestion& question : asked_questions(prompt, score))
    line["questions"].push_back({{"id", question.id}, {"kind", question.kind}, {"text", question.text}});
  return line;
}

Image at_most_high(const Image& image, int height) {
  if (image.height <= height) return image;
  return resize_bicubic(image, std::max(1, image.width * height / image.height), height);
}

Image denoising_strip(const Bagel& model, const SampledImage& sampled, const DenoiseSchedule& schedule) {
  std::vector<Tensor> latents;
  for (int64_t k = 0; k < schedule.window_size; ++k) {
    const double time = schedule.grid[static_cast<size_t>(schedule.window_begin + k)];
    latents.push_back(sampled.states[k] - sampled.velocities[k] * time);
  }
  latents.push_back(sampled.latent);
  std::vector<Image> frames = decode_latents(model, latents, sampled.grid_height, sampled.grid_width);
  for (Image& frame : frames) frame = at_most_high(frame, kStripHeight);
  return image_grid(frames, static_cast<int>(frames.size()), 2, 1);
}

}  // namespace

void record_rollout(const std::filesystem::path& run_folder, int64_t step, const RewardedRollout& rewarded,
                    const Bagel& model) {
  char name[32];
  std::snprintf(name, sizeof name, "step_%06lld", static_cast<long long>(step));
  const std::filesystem::path folder = run_folder / "rollouts" / name;
  make_folder(run_folder / "rollouts");
  make_folder(folder);
  std::string lines;
  std::map<int64_t, std::vector<std::string>> sources;  // of each recorded prompt
  for (size_t p = 0; p < std::min<size_t>(rewarded.prompts.size(), kRecordedPrompts); ++p) {
    for (size_t i = 0; i < rewarded.prompts[p].sources.size(); ++i) {
      const std::string image = cat("prompt", p, "_source", i, ".png");
      write_png(folder / image, rewarded.prompts[p].sources[i]);
      sources[static_cast<int64_t>(p)].push_back(cat(name, "/", image));
    }
  }
  for (size_t i = 0; i < rewarded.rollout.stages.size(); ++i) {
    const Stage& stage = rewarded.rollout.stages[i];
    if (stage.prompt >= kRecordedPrompts || stage.remote) continue;
    nlohmann::json line = stage_json(rewarded, i);
    if (sources.contains(stage.prompt)) line["sources"] = sources.at(stage.prompt);
    if (!stage.candidate.images.empty()) {
      const std::string image = cat("prompt", stage.prompt, "_sample", stage.sample, "_round", stage.round);
      write_png(folder / cat(image, ".png"), stage.candidate.images.back());
      line["image"] = cat(name, "/", image, ".png");
      if (stage.prompt == 0 && stage.image && rewarded.rollout.schedule.window_size > 0) {
        write_png(folder / cat(image, "_strip.png"), denoising_strip(model, *stage.image, rewarded.rollout.schedule));
        line["strip"] = cat(name, "/", image, "_strip.png");
      }
    }
    lines += line.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
  }
  write_file_atomic(run_folder / "rollouts" / cat(name, ".jsonl"), lines);
}

}  // namespace diptych
