#include <cmath>
#include <memory>

#include "diptych/base/error.h"
#include "diptych/cli/commands/command.h"
#include "diptych/cli/commands/rank_processes.h"
#include "diptych/cli/number_checks.h"

namespace diptych {

namespace {

constexpr int kMostProcesses = 1024;

struct LaunchArguments {
  int processes = 0;
  double grace_seconds = 30;
};

int launch(const LaunchArguments& arguments, const std::vector<std::string>& command) {
  if (command.empty())
    throw Error(ExitCode::usage, {"launch", "a command to run", "none", "diptych launch --nproc 2 train RECIPE"});
  if (command.front() == "launch")
    throw Error(ExitCode::usage, {"launch", "a command other than launch", "launch", ""});
  return run_rank_processes(arguments.processes, command,
                            std::chrono::milliseconds(std::llround(arguments.grace_seconds * 1000)));
}

/** `diptych launch --nproc N COMMAND...`: another command in several processes on this machine. */
void add_launch(CLI::App& app, int& status) {
  CLI::App* command = app.add_subcommand("launch", "run a command in several processes on this machine");
  auto arguments = std::make_shared<LaunchArguments>();
  // Each option has a value: without_launch_separator in main.cpp counts on it.
  command->add_option("--nproc", arguments->processes, "number of processes")
      ->type_name("N")
      ->required()
      ->check(CLI::Range(1, kMostProcesses));
  command
      ->add_option("--grace", arguments->grace_seconds,
                   "seconds that the others have to end by themselves when one process has failed")
      ->type_name("S")
      ->check(number_range(0, 86400))
      ->capture_default_str();
  command->prefix_command();  // what follows is the command, with options of its own
  command->footer("Behind these comes the command: diptych launch --nproc 2 train RECIPE KEY=VALUE");
  command->callback([=, &status] { status = launch(*arguments, command->remaining()); });
}

}  // namespace

std::vector<Command> launch_command() {
  return {{.order = 70, .add = add_launch}};
}

}  // namespace diptych
