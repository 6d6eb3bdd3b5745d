#include "diptych/train/rollout/rollout_exchange.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <numeric>

#include "diptych/train/run/exchanged_json.h"

namespace diptych {

namespace {

using nlohmann::json;

json to_json(const Stage& stage) {
  json stored{{"prompt", stage.prompt},
              {"sample", stage.sample},
              {"round", stage.round},
              {"end", static_cast<int>(stage.end)},
              {"request", stage.candidate.prompt},
              {"texts", stage.candidate.texts}};
  if (stage.text)
    stored["text"] = {
        {"tokens", stage.text->tokens}, {"logprobs", stage.text->logprobs}, {"truncated", stage.text->truncated}};
  if (stage.image) stored["image"] = {stage.image->grid_height, stage.image->grid_width};
  return stored;
}

Stage remote_stage(const json& stored) {
  Stage stage;
  stage.remote = true;
  stage.prompt = stored.at("prompt");
  stage.sample = stored.at("sample");
  stage.round = stored.at("round");
  stage.context = -1;
  stage.end = static_cast<StageEnd>(stored.at("end").get<int>());
  stage.candidate.prompt = stored.at("request");
  stage.candidate.texts = stored.at("texts").get<std::vector<std::string>>();
  if (stored.contains("text")) {
    stage.text.emplace();
    stage.text->tokens = stored.at("text").at("tokens").get<std::vector<int64_t>>();
    stage.text->logprobs = stored.at("text").at("logprobs").get<std::vector<double>>();
    stage.text->truncated = stored.at("text").at("truncated");
  }
  if (stored.contains("image")) {
    stage.image.emplace();
    stage.image->grid_height = stored.at("image").at(0);
    stage.image->grid_width = stored.at("image").at(1);
  }
  return stage;
}

}  // namespace

std::vector<size_t> dealt_episodes(const std::vector<EpisodePrompt>& episodes, const ProcessGroup& ranks) {
  std::vector<size_t> dealt;
  for (size_t i = 0; i < episodes.size(); ++i)
    if (episodes[i].occurrence % static_cast<uint64_t>(ranks.world()) == static_cast<uint64_t>(ranks.rank()))
      dealt.push_back(i);
  return dealt;
}

void exchange_stages(ProcessGroup& ranks, const std::vector<size_t>& dealt, int64_t prompts, Rollout& rollout,
                     std::vector<Score>& scores) {
  if (ranks.world() == 1) return;
  json own = json::array();
  for (size_t i = 0; i < rollout.stages.size(); ++i) {
    Stage& stage = rollout.stages[i];
    stage.prompt = static_cast<int64_t>(dealt[static_cast<size_t>(stage.prompt)]);
    own.push_back({to_json(stage), json_of_score(scores[i])});
  }
  const std::vector<json> all = gather_json(ranks, own, "stages of the rollout");
  std::vector<Stage> stages;
  std::vector<Score> joined;
  for (int rank = 0; rank < ranks.world(); ++rank) {
    if (rank == ranks.rank()) {
      std::move(rollout.stages.begin(), rollout.stages.end(), std::back_inserter(stages));
      std::move(scores.begin(), scores.end(), std::back_inserter(joined));
      continue;
    }
    for (const json& pair : all[static_cast<size_t>(rank)]) {
      stages.push_back(remote_stage(pair.at(0)));
      joined.push_back(score_of_json(pair.at(1)));
    }
  }
  // Round by round, in a round prompt-major, as in one process.
  std::vector<size_t> order(stages.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) {
    return std::pair(stages[a].round, stages[a].prompt) < std::pair(stages[b].round, stages[b].prompt);
  });
  rollout.stages.clear();
  scores.clear();
  for (const size_t i : order) {
    rollout.stages.push_back(std::move(stages[i]));
    scores.push_back(std::move(joined[i]));
  }
  rollout.prompts = prompts;
}

}  // namespace diptych
