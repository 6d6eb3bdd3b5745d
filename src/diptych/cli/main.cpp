#include <CLI/CLI.hpp>
#include <cstdio>
#include <exception>
#include <filesystem>
#include <iostream>

#include "diptych/base/error.h"
#include "diptych/base/log.h"
#include "diptych/cli/commands.h"

namespace {

int exit_status(diptych::ExitCode code) { return static_cast<int>(code); }

}  // namespace

int main(int count, char** arguments) {
  CLI::App app{"diptych: reinforcement-learning post-training of unified text-and-image models"};
  app.require_subcommand(1);
  int status = 0;
  diptych::add_commands(app, status);
  try {
    app.parse(count, arguments);
    return status;
  } catch (const CLI::ParseError& error) {
    const int code = app.exit(error);
    return code == 0 ? 0 : exit_status(diptych::ExitCode::usage);
  } catch (const diptych::Error& error) {
    diptych::log_error(error.what());
    return exit_status(error.code());
  } catch (const std::exception& error) {
    diptych::log_error(std::string(error.what()) + "\n  this is a bug in diptych; please report it with the command line");
    return exit_status(diptych::ExitCode::internal);
  }
}
