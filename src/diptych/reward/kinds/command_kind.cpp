// What the user's own program says.

#include <memory>

#include "diptych/base/error.h"
#include "diptych/reward/command_reward.h"
#include "diptych/reward/kinds/reward_config.h"

namespace diptych {

// In the namespace of its struct, where ConfigSection finds it.
static void visit(ConfigFields& fields, CommandRewardOptions& command) {
  fields("program", command.command, "program and arguments of the reward \"command\"; no shell reads it",
         Change::files);
  fields.range("start_seconds", command.start_seconds, 0.001, 1e6, "limit for its first answer, loading included",
               Change::free);
  fields.range("batch_seconds", command.batch_seconds, 0.001, 1e6, "limit for all answers of a batch", Change::free);
  fields.range("restarts", command.restarts, 0, 1000000, "restarts in a row before all samples are masked",
               Change::free);
}

namespace {

RewardFunction make_command(const RewardSetting& setting) {
  const auto& options = setting.config.keys<CommandRewardOptions>("command");
  if (options.command.empty())
    throw Error(ExitCode::config, {"reward.command.program", "the program that scores, with its arguments", "nothing",
                                   "program = [\"python3\", \"my_reward.py\"]"});
  const auto command = std::make_shared<CommandReward>(options, setting.context);
  return [command](const std::vector<ScoredPair>& pairs) { return command->score(pairs); };
}

}  // namespace

std::vector<RewardKind> command_kind() {
  return {{.name = "command",
           .order = 150,
           .keys = ConfigSection(CommandRewardOptions()),
           .section = "command",
           .requests = [](const TaskPrompt&) { return RewardRequests{.program = 1}; },
           .make = make_command}};
}

}  // namespace diptych
