#include <cstdio>
#include <filesystem>
#include <memory>

#include "diptych/base/config/config.h"
#include "diptych/base/error.h"
#include "diptych/base/text_format.h"
#include "diptych/cli/commands/command.h"
#include "diptych/model/folder/preset.h"
#include "diptych/shapes/examples/corpus.h"

namespace diptych {

namespace {

struct InitArguments {
  std::string like;                // name of a preset, empty for a recipe
  std::vector<std::string> words;  // [RECIPE] FOLDER [KEY=VALUE...]
};

int init(const InitArguments& arguments) {
  const std::vector<std::string>& words = arguments.words;
  const size_t folder = arguments.like.empty() ? 1 : 0;
  if (words.size() <= folder)
    throw Error(ExitCode::usage, {"diptych init", arguments.like.empty() ? "RECIPE and FOLDER" : "FOLDER",
                                  cat(words.size(), words.size() == 1 ? " argument" : " arguments"),
                                  "`diptych init --help` tells more"});
  const std::vector<std::string> overrides(words.begin() + static_cast<std::ptrdiff_t>(folder) + 1, words.end());
  const auto recipe = arguments.like.empty() ? load_config<ModelRecipe>(words[0], overrides)
                                             : override_config(model_preset(arguments.like), overrides);
  for (const char* name : {"ema.safetensors", "ae.safetensors", "model.safetensors"})
    if (std::filesystem::exists(std::filesystem::path(words[folder]) / name))
      throw Error(ExitCode::io, {words[folder], "a folder without a model, since random weights would take its place",
                                 name, "name another folder, or remove these weights first"});
  create_model_folder(words[folder], recipe, shapes::tokenizer_corpus());
  std::printf("wrote %s\n", words[folder].c_str());
  return 0;
}

/** `diptych init RECIPE FOLDER [key=value...]`, `diptych init --like NAME FOLDER [key=value...]`: a model folder with
 *  random weights and a trained tokenizer. */
void add_init(CLI::App& app, int& status) {
  CLI::App* command = app.add_subcommand("init", "make a model folder with random weights");
  auto arguments = std::make_shared<InitArguments>();
  command->add_option("--like", arguments->like, "instead of a recipe: the layout and sizes of this published model")
      ->type_name("NAME")
      ->check(CLI::IsMember(model_preset_names()).description(""));
  command
      ->add_option("arguments", arguments->words,
                   "TOML file, such as recipes/shapes_model.toml, unless --like is given; folder to write; values that "
                   "beat the recipe's, such as model.layers=2")
      ->type_name("RECIPE FOLDER KEY=VALUE");
  command->callback([=, &status] { status = init(*arguments); });
}

}  // namespace

std::vector<Command> init_command() {
  return {{.order = 150, .add = add_init}};
}

}  // namespace diptych
