#include "diptych/eval/refinement.h"

#include "diptych/rollout/episodes/episodes.h"

namespace diptych {

namespace {

bool asks_for_refinement(const PictureToRefine& picture, const std::string& mode) {
  if (mode == "oracle") return !picture.right;
  return mode == "always" || !picture.stopped;
}

// The samples that are left alone keep their pictures.
void refine_once(const Painter& painter, const EvaluationConfig& config, int64_t round,
                 std::vector<EvaluatedSample>& samples) {
  std::vector<PictureToRefine> pictures;
  for (const EvaluatedSample& sample : samples)
    pictures.push_back({.prompt = {sample.prompt.text, sample.place, {sample.candidate.images.back()}},
                        .right = sample.correct_rounds.back(),
                        .stopped = sample.stopped()});
  const std::vector<std::optional<Stage>> stages =
      refine_pictures(painter, config.refine, static_cast<uint64_t>(config.seed), round, pictures);
  for (size_t i = 0; i < samples.size(); ++i) {
    if (!stages[i]) continue;
    EvaluatedSample& sample = samples[i];
    sample.reviews.push_back({.text = sample.candidate.texts.size(),
                              .picture = sample.candidate.images.size() - 1,
                              .of_right_picture = sample.correct_rounds.back(),
                              .stopped = stages[i]->end == StageEnd::stopped});
    sample.candidate.texts.push_back(stages[i]->candidate.texts.front());
    if (stages[i]->image) sample.candidate.images.push_back(stages[i]->candidate.images.back());
  }
}

}  // namespace

EpisodeProgram refinement_program(const std::string& mode) {
  return episode_program(mode == "self" ? "review" : "reflect");
}

std::vector<std::optional<Stage>> refine_pictures(const Painter& painter, const std::string& mode, uint64_t seed,
                                                  int64_t round, const std::vector<PictureToRefine>& pictures) {
  EpisodeOptions refining = painter.options;
  refining.program = refinement_program(mode);
  std::vector<size_t> places;
  std::vector<EpisodePrompt> episodes;
  for (size_t i = 0; i < pictures.size(); ++i) {
    if (!asks_for_refinement(pictures[i], mode)) continue;
    places.push_back(i);
    episodes.push_back(pictures[i].prompt);
  }
  Rollout rollout = roll_out(painter.model, painter.tokenizer,
                             {.prompts = std::move(episodes),
                              .options = std::move(refining),
                              .seed = seed,
                              .step = static_cast<uint64_t>(round)});
  std::vector<std::optional<Stage>> stages(pictures.size());
  for (size_t k = 0; k < places.size(); ++k) stages[places[k]] = std::move(rollout.stages[k]);
  return stages;
}

void judge_pictures(const PictureVerdicts& verdicts, std::vector<EvaluatedSample>& samples) {
  const std::vector<bool> right = verdicts(samples);
  for (size_t i = 0; i < samples.size(); ++i) samples[i].correct_rounds.push_back(right[i]);
}

void refine_samples(const Painter& painter, const EvaluationConfig& config, const PictureVerdicts& verdicts,
                    std::vector<EvaluatedSample>& samples) {
  for (int64_t round = 1; round <= config.refine_rounds; ++round) {
    refine_once(painter, config, round, samples);
    judge_pictures(verdicts, samples);
  }
}

}  // namespace diptych
