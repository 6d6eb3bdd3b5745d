// The GEdit analogue of the shapes world.

#include <algorithm>

#include "diptych/eval/evaluation.h"
#include "diptych/reward/shapes_task.h"

namespace diptych {

namespace {

void add(EditScores& scores, const shapes::EditVerdict& verdict) {
  scores.correct += verdict.correct ? 1 : 0;
  scores.semantic += std::min(verdict.followed, verdict.preserved);
  scores.quality += verdict.quality;
  scores.overall += verdict.overall();
}

void divide(EditScores& scores, double count) {
  if (count == 0) return;
  for (double* value : {&scores.correct, &scores.semantic, &scores.quality, &scores.overall}) *value /= count;
}

}  // namespace

EditEvaluation evaluate_edits(const Bagel& model, const Tokenizer& tokenizer, const EpisodeOptions& options,
                              const EvaluationConfig& config, const EvaluationShare& share) {
  check_evaluated_size(options.image_height);
  const shapes::World world;
  std::vector<TaskPrompt> prompts;
  for (const shapes::EditTask& task :
       shapes::edit_pool(split_named(config.split), static_cast<int>(config.edits), 0, world))
    prompts.push_back(edit_task(task, world));
  std::vector<EvaluatedSample> own = share.deal(prompts);
  EpisodeOptions euler = options;
  if (euler.program.name != "edit_think") euler.program = episode_program("edit");
  euler.schedule.window_size = 0;
  euler.edit_guidance.text_scale = config.guidance;
  share.work([&] {
    std::vector<EpisodePrompt> episodes;
    for (const EvaluatedSample& sample : own)
      episodes.push_back({sample.prompt.text, sample.place, sample.prompt.sources});
    const Rollout rollout =
        roll_out(model, tokenizer, episodes, 1, euler, static_cast<uint64_t>(config.seed), /*step=*/0);
    for (size_t i = 0; i < own.size(); ++i) own[i].candidate = rollout.stages[i].candidate;
  });

  EditEvaluation result;
  result.samples = share.collect(prompts, std::move(own));
  std::map<std::string, double> counts;
  for (EvaluatedSample& sample : result.samples) {
    const shapes::EditVerdict verdict =
        shapes::verify_edit(sample.candidate.images.back(), *shapes_edit(sample.prompt), world);
    sample.correct = verdict.correct;
    sample.score.value = verdict.overall();
    add(result.all, verdict);
    add(result.by_kind[sample.prompt.family], verdict);
    counts[sample.prompt.family] += 1;
  }
  divide(result.all, static_cast<double>(prompts.size()));
  for (auto& [kind, scores] : result.by_kind) divide(scores, counts[kind]);
  return result;
}

}  // namespace diptych
