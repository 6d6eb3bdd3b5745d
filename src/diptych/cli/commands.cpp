#include "diptych/cli/commands.h"

#include "diptych/cli/init_command.h"
#include "diptych/cli/sft_command.h"
#include "diptych/cli/train_command.h"

namespace diptych {

namespace {

void add_init(CLI::App& app, int& status) {
  CLI::App* command = app.add_subcommand("init", "make a model folder with random weights");
  auto recipe = std::make_shared<std::string>();
  auto folder = std::make_shared<std::string>();
  auto overrides = std::make_shared<std::vector<std::string>>();
  command->add_option("recipe", *recipe, "model recipe (recipes/shapes_model.toml)")->required();
  command->add_option("folder", *folder, "folder to write")->required();
  command->add_option("overrides", *overrides, "key=value");
  command->callback([=, &status] { status = init_command(*recipe, *folder, *overrides); });
}

void add_sft(CLI::App& app, int& status) {
  CLI::App* command = app.add_subcommand("sft", "supervised start: model or autoencoder");
  auto recipe = std::make_shared<std::string>();
  auto overrides = std::make_shared<std::vector<std::string>>();
  command->add_option("recipe", *recipe, "recipe (recipes/shapes_sft.toml)")->required();
  command->add_option("overrides", *overrides, "key=value");
  command->callback([=, &status] { status = sft_command(*recipe, *overrides); });
}

void add_train(CLI::App& app, int& status) {
  CLI::App* command = app.add_subcommand("train", "reinforcement training");
  auto recipe = std::make_shared<std::string>();
  auto overrides = std::make_shared<std::vector<std::string>>();
  command->add_option("recipe", *recipe, "recipe (recipes/shapes_unigrpo.toml)")->required();
  command->add_option("overrides", *overrides, "key=value");
  command->callback([=, &status] { status = train_command(*recipe, *overrides); });
}

}  // namespace

void add_commands(CLI::App& app, int& status) {
  add_init(app, status);
  add_sft(app, status);
  add_train(app, status);
}

}  // namespace diptych
