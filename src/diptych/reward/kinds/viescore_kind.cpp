#include "diptych/base/error.h"
#include "diptych/base/text_format.h"
#include "diptych/reward/kinds/reward_config.h"
#include "diptych/reward/protocols/viescore.h"

namespace diptych {

namespace {

struct VieScoreKeys {
  std::vector<std::string> questions;
};

void visit(ConfigFields& fields, VieScoreKeys& viescore) {
  fields("viescore_questions", viescore.questions,
         "viescore: own questions for consistency and quality, behind the image and answered by a mark from 0 to 10; "
         "none: the published ones",
         Change::recorded);
}

VieScoreOptions viescore_options(const RewardConfig& config) {
  const std::vector<std::string>& questions = config.keys<VieScoreKeys>("viescore").questions;
  const ImageEncoding encoding = judged_encoding(config);
  if (questions.empty()) return {.encoding = encoding};
  if (questions.size() != 2)
    throw Error(ExitCode::config,
                {"reward.viescore_questions", "two: of consistency and of quality", cat(questions.size()), ""});
  return {questions[0], questions[1], encoding};
}

}  // namespace

std::vector<RewardKind> viescore_kind() {
  return {{.name = "viescore",
           .order = 120,
           .asks_judge = true,
           .keys = ConfigSection(VieScoreKeys()),
           .check_keys = [](const RewardConfig& config) { viescore_options(config); },
           .requests = [](const TaskPrompt&) { return RewardRequests{.judge = 2}; },
           .make = [](const RewardSetting& setting) -> RewardFunction {
             return [ask = setting.ask, options = viescore_options(setting.config)](
                        const std::vector<ScoredPair>& pairs) { return viescore(pairs, ask, options); };
           }}};
}

}  // namespace diptych
