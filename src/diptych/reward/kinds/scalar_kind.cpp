#include "diptych/reward/kinds/reward_config.h"
#include "diptych/reward/protocols/scalar_score.h"

namespace diptych {

namespace {

struct ScalarKeys {
  bool from_logprobs = false;
  std::string question;
};

void visit(ConfigFields& fields, ScalarKeys& scalar) {
  fields("scalar_from_logprobs", scalar.from_logprobs,
         "scalar: expectation over the digits' log-probabilities instead of the digit written", Change::recorded);
  fields("scalar_question", scalar.question,
         "scalar: its question, with {prompt}, behind the image; empty: the built-in one", Change::recorded);
}

ScalarScoreOptions scalar_options(const RewardConfig& config) {
  const auto& keys = config.keys<ScalarKeys>("scalar");
  return {keys.from_logprobs, keys.question, judged_encoding(config)};
}

}  // namespace

std::vector<RewardKind> scalar_kind() {
  return {{.name = "scalar",
           .order = 140,
           .asks_judge = true,
           .keys = ConfigSection(ScalarKeys()),
           .requests = [](const TaskPrompt&) { return RewardRequests{.judge = 1}; },
           .make = [](const RewardSetting& setting) -> RewardFunction {
             return [ask = setting.ask, options = scalar_options(setting.config)](
                        const std::vector<ScoredPair>& pairs) { return scalar_score(pairs, ask, options); };
           }}};
}

}  // namespace diptych
