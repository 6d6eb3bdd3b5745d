#include <unistd.h>

#include <cstdio>
#include <filesystem>

#include "diptych/base/error.h"
#include "diptych/base/text_format.h"
#include "diptych/bench/doctor.h"
#include "diptych/cli/commands/command.h"

namespace diptych {

namespace {

constexpr const char* kRecipe = "recipes/shapes_unigrpo.toml";

struct DoctorArguments {
  std::string model = "assets/shapes_base";
  bool no_training = false;
};

Health print_findings(const std::string& title, const std::vector<CheckResult>& findings) {
  std::printf("%s\n", title.c_str());
  Health worst = Health::ok;
  for (const CheckResult& finding : findings) {
    const char* word = finding.health == Health::ok ? "ok" : finding.health == Health::warning ? "look" : "FAIL";
    std::printf("  %-6s%-12s%s\n", word, finding.subject.c_str(), finding.detail.c_str());
    worst = std::max(worst, finding.health);
  }
  std::fflush(stdout);
  return worst;
}

int doctor(const DoctorArguments& arguments) {
  Health worst = print_findings("Machine", check_machine());
  worst = std::max(worst, print_findings(cat("Model ", arguments.model), check_model(arguments.model)));
  if (std::error_code unreachable; !std::filesystem::exists(arguments.model, unreachable) && !unreachable)
    std::printf(
        "  paths are relative to the current folder, %s; the shipped model and recipes are in the repository's\n",
        std::filesystem::current_path().c_str());
  if (!arguments.no_training) {
    const auto recipe = load_config<RlRecipe>(kRecipe, {});
    const std::filesystem::path run = std::filesystem::temp_directory_path() / cat("diptych_doctor_", getpid());
    worst = std::max(
        worst, print_findings(cat("Training, ", recipe.model, ", on a trivial reward"), check_training(recipe, run)));
    std::filesystem::remove_all(run);
  }
  std::printf("%s\n", worst == Health::ok        ? "All is well."
                      : worst == Health::warning ? "It works; look at the lines marked `look`."
                                                 : "Something is broken: see the lines marked FAIL.");
  return worst == Health::failure ? static_cast<int>(ExitCode::mismatch) : 0;
}

/** Adds `doctor`, which checks machine, build, a model folder and that training learns. */
void add_doctor(CLI::App& app, int& status) {
  CLI::App* command = app.add_subcommand("doctor", "check machine, build and model, and that training learns");
  auto arguments = std::make_shared<DoctorArguments>();
  command->add_option("--model", arguments->model, "model folder to check")->type_name("DIR")->capture_default_str();
  command->add_flag("--no-training", arguments->no_training, "leave out the short training of the shipped small model");
  command->callback([=, &status] { status = doctor(*arguments); });
}

}  // namespace

std::vector<Command> doctor_command() {
  return {{.order = 200, .add = add_doctor}};
}

}  // namespace diptych
