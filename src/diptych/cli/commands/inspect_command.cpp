#include <cstdio>
#include <filesystem>
#include <memory>

#include "diptych/base/error.h"
#include "diptych/base/text_format.h"
#include "diptych/cli/commands/command.h"
#include "diptych/cli/commands/inspect_json.h"
#include "diptych/cli/commands/inspect_text.h"

namespace diptych {

namespace {

struct InspectArguments {
  std::string path;
  bool json = false;
};

int inspect(const InspectArguments& arguments) {
  if (std::filesystem::is_regular_file(arguments.path)) {
    const SafetensorsFile file = SafetensorsFile::open(arguments.path);
    std::fputs((arguments.json ? tensors_json(file) : tensors_text(file)).c_str(), stdout);
    return 0;
  }
  const FolderSummary summary = inspect_folder(arguments.path);
  std::fputs((arguments.json ? folder_json : folder_text)(arguments.path, summary).c_str(), stdout);
  std::fflush(stdout);
  const int64_t problems = problem_count(summary);
  if (problems > 0)
    throw Error(ExitCode::model, {arguments.path, "a folder whose files belong together",
                                  cat(problems, problems == 1 ? " problem" : " problems", ", listed above"), ""});
  return 0;
}

/** `diptych inspect PATH`: what a model folder or a .safetensors file holds. */
void add_inspect(CLI::App& app, int& status) {
  CLI::App* command = app.add_subcommand("inspect", "tell what a model folder holds, without reading its weights");
  auto arguments = std::make_shared<InspectArguments>();
  command->add_option("path", arguments->path, "model folder, or a .safetensors file")->required()->type_name("PATH");
  command->add_flag("--json", arguments->json, "print one JSON object");
  command->callback([=, &status] { status = inspect(*arguments); });
}

}  // namespace

std::vector<Command> inspect_command() {
  return {{.order = 160, .add = add_inspect}};
}

}  // namespace diptych
