#include <cstdio>

#include "diptych/cli/commands/command.h"
#include "diptych/report/page/report_page.h"

namespace diptych {

namespace {

/** `diptych report RUN...`: writes run folders as one HTML page. */
void add_report(CLI::App& app, int& status) {
  CLI::App* command = app.add_subcommand("report", "write a run, or a comparison of runs, as one HTML page");
  auto runs = std::make_shared<std::vector<std::filesystem::path>>();
  auto out = std::make_shared<std::filesystem::path>();
  command->add_option("run", *runs, "run folders; several are compared")->required()->type_name("RUN");
  command
      ->add_option("--out", *out,
                   "the page; default: report.html in the run folder, comparison.html in the first of several")
      ->type_name("FILE");
  command->callback([=, &status] {
    const std::filesystem::path standard =
        runs->size() == 1 ? report_file(runs->front()) : runs->front() / "comparison.html";
    const std::filesystem::path page = out->empty() ? standard : *out;
    write_report(*runs, page);
    std::printf("report: %s\n", page.string().c_str());
    status = 0;
  });
}

}  // namespace

std::vector<Command> report_command() {
  return {{.order = 80, .add = add_report}};
}

}  // namespace diptych
