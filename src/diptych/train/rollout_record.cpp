#include "diptych/train/rollout_record.h"

#include <nlohmann/json.hpp>

#include "diptych/base/text_format.h"
#include "diptych/io/files.h"
#include "diptych/rollout/stage_end_name.h"

namespace diptych {

namespace {

// Groups of a step that are kept: enough to look at, little enough to keep every one of them.
constexpr int64_t kRecordedPrompts = 4;

nlohmann::json stage_json(const RewardedRollout& rewarded, size_t i) {
  const Trajectory& stage = rewarded.rollout.chains[i];
  const Score& score = rewarded.scores[i];
  nlohmann::json line{{"prompt", stage.candidate.prompt},
                      {"group", rewarded.groups[i]},
                      {"sample", stage.sample},
                      {"round", stage.round},
                      {"texts", stage.candidate.texts},
                      {"end", stage_end_name(stage.end)},
                      {"valid", static_cast<bool>(rewarded.valid[i])},
                      {"reward", rewarded.rewards[i]},
                      {"advantage", rewarded.advantages.values[i]}};
  if (score.value) line["score"] = *score.value;
  if (rewarded.before[i]) line["score_before"] = *rewarded.before[i];
  if (!score.raw_reply.empty()) line["reply"] = score.raw_reply;
  for (const Check& check : score.checks) line["checks"].push_back({{"name", check.name}, {"value", check.value}});
  for (const AtomicQuestion& question : rewarded.prompts[static_cast<size_t>(stage.prompt)].questions)
    line["questions"].push_back({{"id", question.id}, {"kind", question.kind}, {"text", question.text}});
  return line;
}

}  // namespace

void record_rollout(const std::filesystem::path& run_folder, int64_t step, const RewardedRollout& rewarded) {
  char name[32];
  std::snprintf(name, sizeof name, "step_%06lld", static_cast<long long>(step));
  const std::filesystem::path folder = run_folder / "rollouts" / name;
  make_folder(run_folder / "rollouts");
  make_folder(folder);
  std::string lines;
  for (size_t i = 0; i < rewarded.rollout.chains.size(); ++i) {
    const Trajectory& stage = rewarded.rollout.chains[i];
    if (stage.prompt >= kRecordedPrompts) continue;
    nlohmann::json line = stage_json(rewarded, i);
    if (!stage.candidate.images.empty()) {
      const std::string image = cat("prompt", stage.prompt, "_sample", stage.sample, "_round", stage.round, ".png");
      write_png(folder / image, stage.candidate.images.back());
      line["image"] = cat(name, "/", image);
    }
    lines += line.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
  }
  write_file_atomic(run_folder / "rollouts" / cat(name, ".jsonl"), lines);
}

}  // namespace diptych
