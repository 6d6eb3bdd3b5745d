#include "diptych/cli/command_group.h"

#include <cstdio>

#include "diptych/base/error.h"

namespace diptych {

void require_command(CLI::App& group, int& status) {
  // A lower limit of 1 would report a misspelt command as a missing one.
  group.require_subcommand(0, 1);
  group.callback([&group, &status] {
    if (!group.get_subcommands().empty()) return;
    const CLI::App* parent = group.get_parent();
    std::fputs(group.help(parent == nullptr ? "" : parent->get_name()).c_str(), stderr);
    status = static_cast<int>(ExitCode::usage);
  });
}

}  // namespace diptych
