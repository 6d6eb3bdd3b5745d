#include <cstdio>
#include <filesystem>

#include "diptych/base/error.h"
#include "diptych/base/text_format.h"
#include "diptych/cli/commands/command.h"
#include "diptych/train/loops/export.h"

namespace diptych {

namespace {

struct ExportArguments {
  std::string run;
  std::string out;
};

int run_export(const ExportArguments& arguments) {
  const std::filesystem::path run = arguments.run;
  if (!std::filesystem::exists(run / "recipe.toml"))
    throw Error(ExitCode::config,
                {arguments.run, "the folder of a training run",
                 std::filesystem::is_directory(run) ? "a folder without recipe.toml"
                 : std::filesystem::exists(run)     ? "a file"
                                                    : "no such folder",
                 cat("check the path; the current folder is ", std::filesystem::current_path().string())});
  const std::string out = arguments.out.empty() ? arguments.run + "/export" : arguments.out;
  const int64_t step = export_run(arguments.run, out);
  std::printf("step %lld of %s\nwrote %s/model, read back: the policy's own bits\n", static_cast<long long>(step),
              arguments.run.c_str(), out.c_str());
  if (std::filesystem::exists(std::filesystem::path(out) / "adapter"))
    std::printf("wrote %s/adapter, PEFT's form, read back: merges to the same bits\n", out.c_str());
  return 0;
}

void add_export(CLI::App& app, int& status) {
  CLI::App* command =
      app.add_subcommand("export", "write a run's newest checkpoint as a model folder (and PEFT adapter)");
  auto arguments = std::make_shared<ExportArguments>();
  command->add_option("run", arguments->run, "folder of a training run")->required()->type_name("RUN");
  command->add_option("--out", arguments->out, "folder to write to; default: RUN/export")->type_name("DIR");
  command->callback([=, &status] { status = run_export(*arguments); });
}

}  // namespace

std::vector<Command> export_command() {
  return {{.order = 90, .add = add_export}};
}

}  // namespace diptych
