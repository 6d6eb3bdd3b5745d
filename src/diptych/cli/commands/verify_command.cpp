#include <ATen/Parallel.h>

#include <cstdio>

#include "diptych/base/error.h"
#include "diptych/cli/commands/command.h"
#include "diptych/parity/verify.h"

namespace diptych {

namespace {

const char* status_text(ItemStatus status) {
  switch (status) {
    case ItemStatus::passed:
      return "pass";
    case ItemStatus::failed:
      return "FAIL";
    default:
      return "absent";
  }
}

void print_row(const ItemResult& result) {
  if (result.status == ItemStatus::absent) {
    std::printf("%-24s %9s %9s %9s  absent\n", result.item.c_str(), "-", "-", "-");
    return;
  }
  std::printf("%-24s %9lld %9.2e %9.2e  %-6s  %s\n", result.item.c_str(), static_cast<long long>(result.values),
              result.error, result.tolerance, status_text(result.status), result.where.c_str());
  if (!result.detail.empty()) std::printf("    %s\n", result.detail.c_str());
}

int verify(const std::filesystem::path& folder) {
  // The tensors of a fixture folder are too small for threads, which would mostly wait for each other.
  at::set_num_threads(1);
  const std::vector<ItemResult> results = verify_folder(folder);
  std::printf("%-24s %9s %9s %9s  %-6s  %s\n", "item", "values", "error", "tolerance", "result", "worst value");
  int passed = 0, failed = 0, absent = 0;
  for (const ItemResult& result : results) {
    print_row(result);
    passed += result.status == ItemStatus::passed ? 1 : 0;
    failed += result.status == ItemStatus::failed ? 1 : 0;
    absent += result.status == ItemStatus::absent ? 1 : 0;
  }
  std::printf("%d items passed, %d failed, %d absent\n", passed, failed, absent);
  return static_cast<int>(failed == 0 ? ExitCode::ok : ExitCode::mismatch);
}

/** `diptych verify FOLDER`: compares every item of a fixture folder and prints a table; the status is
 *  ExitCode::mismatch if any item fails. */
void add_verify(CLI::App& app, int& status) {
  CLI::App* command = app.add_subcommand("verify", "compare the model with recorded values of the official BAGEL code");
  auto folder = std::make_shared<std::string>();
  command->add_option("folder", *folder, "folder of fixtures, such as tests/fixtures/bagel_tiny")
      ->required()
      ->type_name("FOLDER");
  command->callback([=, &status] { status = verify(*folder); });
}

}  // namespace

std::vector<Command> verify_command() {
  return {{.order = 180, .add = add_verify}};
}

}  // namespace diptych
