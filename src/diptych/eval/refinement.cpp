#include "diptych/eval/refinement.h"

#include <algorithm>

#include "diptych/reward/shapes_reward.h"
#include "diptych/reward/shapes_task.h"

namespace diptych {

namespace {

bool asks_for_refinement(const PictureToRefine& picture, const std::string& mode) {
  if (mode == "oracle") return !picture.right;
  return mode == "always" || !picture.stopped;
}

/** Counts over the reviews of all samples. */
struct Reviews {
  double count = 0;
  double right = 0;  // of right pictures
  double stops = 0;
  double right_stops = 0;
  double described = 0;
  double diagnosed = 0;  // of wrong pictures

  void add(const Review& review) {
    count += 1;
    right += review.of_right_picture ? 1 : 0;
    stops += review.stopped ? 1 : 0;
    right_stops += review.stopped && review.of_right_picture ? 1 : 0;
    described += review.score.described ? 1 : 0;
    diagnosed += !review.of_right_picture && review.score.diagnosed() ? 1 : 0;
  }
};

double share(double part, double whole) {
  return whole == 0 ? 0 : part / whole;
}

// The samples that are left alone keep their pictures.
void refine_once(const Bagel& model, const Tokenizer& tokenizer, const EpisodeOptions& options,
                 const EvaluationConfig& config, int64_t round, std::vector<EvaluatedSample>& samples) {
  std::vector<PictureToRefine> pictures;
  for (const EvaluatedSample& sample : samples)
    pictures.push_back({.prompt = {sample.prompt.text, sample.place, {sample.candidate.images.back()}},
                        .right = sample.correct_rounds.back(),
                        .stopped = sample.stopped()});
  const std::vector<std::optional<Stage>> stages =
      refine_pictures(model, tokenizer, options, config.refine, static_cast<uint64_t>(config.seed), round, pictures);
  for (size_t i = 0; i < samples.size(); ++i) {
    if (!stages[i]) continue;
    EvaluatedSample& sample = samples[i];
    sample.candidate.texts.push_back(stages[i]->candidate.texts.front());
    sample.reviews.push_back({.of_right_picture = sample.correct_rounds.back(),
                              .stopped = stages[i]->end == StageEnd::stopped,
                              .score = score_reflection(sample.candidate.texts.back(), sample.candidate.images.back(),
                                                        *shapes_request(sample.prompt))});
    if (stages[i]->image) sample.candidate.images.push_back(stages[i]->candidate.images.back());
  }
}

}  // namespace

EpisodeProgram refinement_program(const std::string& mode) {
  return episode_program(mode == "self" ? "review" : "reflect");
}

std::vector<std::optional<Stage>> refine_pictures(const Bagel& model, const Tokenizer& tokenizer,
                                                  const EpisodeOptions& options, const std::string& mode, uint64_t seed,
                                                  int64_t round, const std::vector<PictureToRefine>& pictures) {
  EpisodeOptions refining = options;
  refining.program = refinement_program(mode);
  std::vector<size_t> places;
  std::vector<EpisodePrompt> episodes;
  for (size_t i = 0; i < pictures.size(); ++i) {
    if (!asks_for_refinement(pictures[i], mode)) continue;
    places.push_back(i);
    episodes.push_back(pictures[i].prompt);
  }
  Rollout rollout = roll_out(model, tokenizer, episodes, 1, refining, seed, static_cast<uint64_t>(round));
  std::vector<std::optional<Stage>> stages(pictures.size());
  for (size_t k = 0; k < places.size(); ++k) stages[places[k]] = std::move(rollout.stages[k]);
  return stages;
}

bool picture_is_right(const TaskPrompt& prompt, const Candidate& candidate) {
  static const RewardFunction strict = exact_reward(ShapesRewardKind::strict);
  return strict({{&prompt, &candidate}}).front().value.value_or(0) == 1.0;
}

void judge_pictures(std::vector<EvaluatedSample>& samples) {
  for (EvaluatedSample& sample : samples)
    sample.correct_rounds.push_back(picture_is_right(sample.prompt, sample.candidate));
}

void refine_samples(const Bagel& model, const Tokenizer& tokenizer, const EpisodeOptions& options,
                    const EvaluationConfig& config, std::vector<EvaluatedSample>& samples) {
  for (int64_t round = 1; round <= config.refine_rounds; ++round) {
    refine_once(model, tokenizer, options, config, round, samples);
    judge_pictures(samples);
  }
}

RefinementResult refinement_result(const EvaluationConfig& config, const std::vector<EvaluatedSample>& samples) {
  RefinementResult result;
  Reviews reviews;
  result.by_round.assign(static_cast<size_t>(config.refine_rounds) + 1, 0);
  double right = 0, kept = 0, repaired = 0, refined = 0;
  const auto count = static_cast<double>(samples.size());
  for (const EvaluatedSample& sample : samples) {
    for (size_t r = 0; r < result.by_round.size(); ++r) result.by_round[r] += sample.correct_rounds[r] ? 1 / count : 0;
    const bool before = sample.correct_rounds.front();
    const bool after = sample.correct_rounds.back();
    right += before ? 1 : 0;
    kept += before && after ? 1 : 0;
    repaired += !before && after ? 1 : 0;
    refined += sample.candidate.images.size() > 1 ? 1 : 0;
    for (const Review& review : sample.reviews) reviews.add(review);
  }
  result.before = result.by_round.front();
  result.after = result.by_round.back();
  result.refined = share(refined, count);
  result.kept_right = share(kept, right);
  result.repaired = share(repaired, count - right);
  result.described = share(reviews.described, reviews.count);
  result.diagnosed = share(reviews.diagnosed, reviews.count - reviews.right);
  if (config.refine == "self") {
    result.stops = share(reviews.stops, reviews.count);
    result.stop_precision = share(reviews.right_stops, reviews.stops);
    result.stop_recall = share(reviews.right_stops, reviews.right);
  }
  return result;
}

}  // namespace diptych
