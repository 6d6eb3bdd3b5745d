#include "diptych/eval/refinement.h"

#include <algorithm>

namespace diptych {

namespace {

bool is_right(const EvaluatedSample& sample) {
  static const RewardFunction strict = make_reward("shapes_strict");
  return strict({{&sample.prompt, &sample.candidate}}).front().value.value_or(0) == 1.0;
}

bool asks_for_refinement(const EvaluatedSample& sample, const std::string& mode) {
  if (mode == "oracle") return !sample.correct_rounds.back();
  return mode == "always" || !sample.stopped;
}

struct Reviews {
  double count = 0;
  double right = 0;  // of right pictures
  double stops = 0;
  double right_stops = 0;

  void add(bool right_picture, bool stopped) {
    count += 1;
    right += right_picture ? 1 : 0;
    stops += stopped ? 1 : 0;
    right_stops += stopped && right_picture ? 1 : 0;
  }
};

double share(double part, double whole) {
  return whole == 0 ? 0 : part / whole;
}

// One round over the samples that ask for it; the others keep their pictures.
void refine_once(const Bagel& model, const Tokenizer& tokenizer, const EpisodeOptions& options,
                 const EvaluationConfig& config, int64_t round, std::vector<EvaluatedSample>& samples,
                 Reviews& reviews) {
  std::vector<size_t> places;
  std::vector<EpisodePrompt> episodes;
  for (size_t i = 0; i < samples.size(); ++i) {
    if (!asks_for_refinement(samples[i], config.refine)) continue;
    places.push_back(i);
    episodes.push_back({samples[i].prompt.text, i, {samples[i].candidate.images.back()}});
  }
  const Rollout rollout =
      roll_out(model, tokenizer, episodes, 1, options, static_cast<uint64_t>(config.seed), static_cast<uint64_t>(round));
  for (size_t k = 0; k < places.size(); ++k) {
    const Trajectory& stage = rollout.chains[k];
    EvaluatedSample& sample = samples[places[k]];
    sample.candidate.texts.push_back(stage.candidate.texts.front());
    sample.stopped = stage.end == StageEnd::stopped;
    reviews.add(sample.correct_rounds.back(), sample.stopped);
    if (stage.image) sample.candidate.images.push_back(stage.candidate.images.back());
  }
}

}  // namespace

void judge_pictures(std::vector<EvaluatedSample>& samples) {
  for (EvaluatedSample& sample : samples) sample.correct_rounds.push_back(is_right(sample));
}

RefinementResult refine_samples(const Bagel& model, const Tokenizer& tokenizer, const EpisodeOptions& options,
                                const EvaluationConfig& config, std::vector<EvaluatedSample>& samples) {
  EpisodeOptions refining = options;
  refining.program = episode_program(config.refine == "self" ? "review" : "reflect");
  Reviews reviews;
  for (int64_t round = 1; round <= config.refine_rounds; ++round) {
    refine_once(model, tokenizer, refining, config, round, samples, reviews);
    judge_pictures(samples);
  }
  RefinementResult result;
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
  }
  result.before = result.by_round.front();
  result.after = result.by_round.back();
  result.refined = share(refined, count);
  result.kept_right = share(kept, right);
  result.repaired = share(repaired, count - right);
  if (config.refine == "self") {
    result.stops = share(reviews.stops, reviews.count);
    result.stop_precision = share(reviews.right_stops, reviews.stops);
    result.stop_recall = share(reviews.right_stops, reviews.right);
  }
  return result;
}

}  // namespace diptych
