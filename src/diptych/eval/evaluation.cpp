#include "diptych/eval/evaluation.h"

#include "diptych/shapes/caption.h"
#include "diptych/text/think.h"

namespace diptych {

namespace {

bool refined_correctly(const EvaluatedSample& sample) {
  if (sample.candidate.texts.empty()) return false;
  const std::optional<shapes::Request> written =
      shapes::parse_caption(parse_think(sample.candidate.texts.front()).answer);
  return written && shapes::canonical_text(*written) == shapes::canonical_text(*sample.prompt.request);
}

struct Share {
  double hits = 0;
  double count = 0;
  void add(bool hit) {
    hits += hit ? 1 : 0;
    count += 1;
  }
  double value() const { return count == 0 ? 0 : hits / count; }
};

}  // namespace

shapes::Split split_named(const std::string& name) {
  if (name == "train") return shapes::Split::train;
  return name == "validation" ? shapes::Split::validation : shapes::Split::test;
}

EvaluationResult evaluate_shapes(const Bagel& model, const Tokenizer& tokenizer, const EpisodeOptions& options,
                                 const EvaluationConfig& config, const RewardFunction& reward) {
  std::vector<TaskPrompt> prompts;
  for (bool implicit : {false, true}) {
    for (const shapes::Prompt& prompt :
         shapes::evaluation_pool(split_named(config.split), implicit, static_cast<int>(config.prompts), 0))
      prompts.push_back(shapes_task(prompt));
  }
  std::vector<EpisodePrompt> episodes;
  for (size_t i = 0; i < prompts.size(); ++i) episodes.push_back({prompts[i].text, i});
  EpisodeOptions euler = options;
  euler.schedule.window_size = 0;
  euler.guidance.text_scale = config.guidance;
  const Rollout rollout =
      roll_out(model, tokenizer, episodes, 1, euler, static_cast<uint64_t>(config.seed), /*step=*/0);

  std::vector<ScoredPair> pairs;
  for (size_t i = 0; i < prompts.size(); ++i) pairs.push_back({&prompts[i], &rollout.chains[i].candidate});
  const std::vector<Score> scores = reward(pairs);
  const std::vector<Score> strict = make_reward("shapes_strict")(pairs);

  EvaluationResult result;
  Share pools[2];
  Share refined;
  std::map<std::string, Share> families;
  double scored = 0;
  for (size_t i = 0; i < prompts.size(); ++i) {
    const Trajectory& chain = rollout.chains[i];
    EvaluatedSample sample{prompts[i], chain.candidate, scores[i], strict[i].value.value_or(0) == 1.0};
    pools[prompts[i].implicit ? 1 : 0].add(sample.correct);
    families[prompts[i].family].add(sample.correct);
    refined.add(refined_correctly(sample));
    if (chain.thinking)
      result.think_length += static_cast<double>(chain.thinking->tokens.size()) / static_cast<double>(prompts.size());
    if (scores[i].value) {
      result.reward += *scores[i].value;
      scored += 1;
    }
    result.samples.push_back(std::move(sample));
  }
  result.correct_explicit = pools[0].value();
  result.correct_implicit = pools[1].value();
  result.refined_correct = refined.value();
  if (scored > 0) result.reward /= scored;
  for (const auto& [family, share] : families) result.correct_by_family[family] = share.value();
  return result;
}

}  // namespace diptych
