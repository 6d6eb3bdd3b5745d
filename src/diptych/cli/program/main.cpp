#include <torch/version.h>

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <iostream>
#include <set>
#include <vector>

#include "diptych/base/error.h"
#include "diptych/base/log.h"
#include "diptych/base/nearest_name.h"
#include "diptych/base/text_format.h"
#include "diptych/cli/command_group.h"
#include "diptych/cli/commands/command.h"
#include "diptych/tensor/failure.h"

namespace {

constexpr const char* kExamples = R"(Examples:
  diptych quickstart                                             train the tiny model in minutes, see what rose
  diptych sample assets/shapes_base --prompt "a red circle"      look at what a model does
  diptych recipe recipes/shapes_unigrpo.toml                     what a run consists of, every key explained
  diptych train recipes/shapes_unigrpo.toml run.seed=1           a run of your own

`diptych COMMAND --help` tells the options of a command; docs/commands.md has an example of each,
docs/exit_codes.md the exit codes.)";

int exit_status(diptych::ExitCode code) {
  return static_cast<int>(code);
}

// After a broken collective, threads of c10d may still wait for a rank that never comes: the destructors of static
// objects would take away what they use.
[[noreturn]] void end_at_once(diptych::ExitCode code) {
  std::fflush(nullptr);
  std::_Exit(exit_status(code));
}

/** Whether standard output is a pipe whose reader has gone, such as `head`: it has seen what it wanted. */
bool reader_has_gone() {
  pollfd output = {.fd = STDOUT_FILENO, .events = POLLOUT, .revents = 0};
  return ::poll(&output, 1, 0) == 1 && (output.revents & POLLERR) != 0;
}

/** The status of a command that ended with `status`, once all that it printed is written. */
int flush_output(int status) {
  errno = 0;
  std::cout.flush();
  std::fflush(stdout);
  const std::string reason = errno == 0 ? "an earlier part is lost; is the disk full?" : std::strerror(errno);
  if ((std::cout.good() && std::ferror(stdout) == 0) || reader_has_gone()) return status;
  const diptych::Error error(diptych::ExitCode::io, {"standard output", "room for all that is printed",
                                                     "standard output could not be written: " + reason, ""});
  diptych::log_error(error.what());
  return status == 0 ? exit_status(error.code()) : status;
}

/** After what is no argument of a command, such as an override in the way of other programs: --run.seed=1. */
void hint_at_overrides(const CLI::App& app) {
  for (const std::string& word : app.remaining(true)) {
    const size_t name = word.find_first_not_of("-+");
    const size_t dot = word.find('.'), equals = word.find('=');
    if (name == 0 || name == word.npos || equals == word.npos || dot > equals) continue;
    std::fputs(
        diptych::cat("  hint: values of a recipe stand behind it without dashes: ", word.substr(name), "\n").c_str(),
        stderr);
    return;
  }
}

/** After a word that is no command: the commands that there are. */
void hint_at_commands(const CLI::App& app) {
  const CLI::App* group = &app;
  while (!group->get_subcommands().empty()) group = group->get_subcommands().front();
  std::set<std::string> names;
  for (const CLI::App* command : group->get_subcommands([](const CLI::App*) { return true; }))
    names.insert(command->get_name());
  const std::vector<std::string> words = app.remaining(true);
  const auto word =
      std::find_if(words.begin(), words.end(), [](const std::string& text) { return !text.starts_with('-'); });
  if (names.empty() || word == words.end()) return;
  const std::string hint = diptych::cat("  hint: ", diptych::did_you_mean(*word, names), " The commands are ",
                                        diptych::join(names, ", "), ".\n");
  std::fputs(hint.c_str(), stderr);
}

/** The words of a command line without the "--" that may stand between the options of `launch` and its command, as
 *  other launchers want it; CLI11 takes what follows it for arguments of `launch` itself. */
std::vector<std::string> without_launch_separator(std::vector<std::string> words) {
  if (words.size() < 2 || words[1] != "launch") return words;
  // Each of its options has a value, in the same word or in the next.
  size_t place = 2;
  while (place < words.size() && words[place] != "--" && words[place].starts_with('-'))
    place += words[place].find('=') == std::string::npos ? 2 : 1;
  if (place < words.size() && words[place] == "--") words.erase(words.begin() + static_cast<std::ptrdiff_t>(place));
  return words;
}

// OpenMP threads spin while they wait, which is ten to a hundred times slower where cores are shared or limited. The
// runtime reads its environment before main, so the program starts itself once more with waiting threads asleep.
void let_waiting_threads_sleep(char** arguments) {
  if (std::getenv("OMP_WAIT_POLICY") != nullptr || std::getenv("GOMP_SPINCOUNT") != nullptr) return;
  ::setenv("OMP_WAIT_POLICY", "passive", 1);
  ::execv("/proc/self/exe", arguments);
}

/** Adds every command, in the order of the help. */
void add_commands(CLI::App& app, int& status) {
  for (const diptych::Command& command : diptych::commands()) command.add(app, status);
}

/** A write beyond `ulimit -f` then fails with a reason, as on a full disk, instead of killing the process. With a
 * handler, since programs that we start would inherit an ignored signal. */
void survive_file_limit() {
  std::signal(SIGXFSZ, [](int) {});
}

/** Started with closed streams, as by some daemons, the first files that it opens would get their numbers, and what is
 *  printed would go into them. */
void fill_closed_streams() {
  for (const int stream : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO})
    if (::fcntl(stream, F_GETFD) < 0) ::open("/dev/null", O_RDWR);  // the lowest free number
}

}  // namespace

int main(int count, char** arguments) {
  fill_closed_streams();
  let_waiting_threads_sleep(arguments);
  survive_file_limit();
  // Line by line into pipes and files as well: what a long command has found is there when it is found.
  std::setvbuf(stdout, nullptr, _IOLBF, BUFSIZ);
  CLI::App app{"diptych: reinforcement-learning post-training of unified text-and-image models", "diptych"};
  app.set_version_flag("--version", "diptych " DIPTYCH_VERSION " with LibTorch " TORCH_VERSION, "print the version");
  app.set_help_flag("-h,--help", "print this help");
  int status = 0;
  diptych::require_command(app, status);
  add_commands(app, status);
  app.footer(kExamples);  // last, since sub-commands inherit it
  try {
    const std::vector<std::string> words = without_launch_separator({arguments, arguments + count});
    std::vector<const char*> pointers;
    for (const std::string& word : words) pointers.push_back(word.c_str());
    app.parse(static_cast<int>(pointers.size()), pointers.data());
    return flush_output(status);
  } catch (const CLI::ParseError& error) {
    const int code = app.exit(error);
    if (dynamic_cast<const CLI::ExtrasError*>(&error) != nullptr) {
      hint_at_commands(app);
      hint_at_overrides(app);
    }
    return flush_output(code == 0 ? 0 : exit_status(diptych::ExitCode::usage));
  } catch (const std::exception& failure) {
    const diptych::Error error = diptych::as_error(failure);
    diptych::log_error(error.what());
    if (error.code() == diptych::ExitCode::peer) end_at_once(error.code());
    return exit_status(error.code());
  }
}
