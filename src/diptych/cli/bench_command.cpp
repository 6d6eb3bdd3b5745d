#include "diptych/cli/bench_command.h"

#include <algorithm>
#include <cstdio>
#include <nlohmann/json.hpp>

#include "diptych/base/error.h"
#include "diptych/base/text_format.h"
#include "diptych/bench/model_bench.h"
#include "diptych/io/files.h"
#include "diptych/train/environment.h"
#include "diptych/train/session.h"

namespace diptych {

namespace {

struct BenchArguments {
  std::string model = "assets/shapes_base";
  int64_t threads = 0;
  int64_t batch = BenchEffort().batch;
  std::string json;
  std::vector<std::string> only;
  bool quick = false;
};

std::vector<std::string> bench_names() {
  std::vector<std::string> names = {"gemm"};
  for (const Bench& bench : benches()) names.push_back(bench.name);
  return names;
}

std::string duration_text(double seconds) {
  if (seconds >= 1) return fixed(seconds, 3) + " s ";
  return seconds >= 1e-3 ? fixed(seconds * 1e3, 3) + " ms" : fixed(seconds * 1e6, 3) + " us";
}

void print_row(const BenchRow& row) {
  const std::string rate = cat(fixed(1 / row.seconds, 1), ' ', row.unit, "s/s");
  const std::string flops = row.flops ? fixed(*row.flops / 1e9, 1) : "-";
  const std::string share = row.share ? cat(fixed(100 * *row.share, 1), " % of ", row.limit) : "";
  std::printf("%-20s  %-48s %12s %20s %9s  %s\n", row.name.c_str(), row.work.c_str(),
              duration_text(row.seconds).c_str(), rate.c_str(), flops.c_str(), share.c_str());
  std::fflush(stdout);
}

nlohmann::ordered_json to_json(const BenchRow& row) {
  nlohmann::ordered_json json = {{"name", row.name},
                                 {"work", row.work},
                                 {"unit", row.unit},
                                 {"seconds", row.seconds},
                                 {"per_second", 1 / row.seconds}};
  if (row.flops) json["flops_per_second"] = *row.flops;
  if (row.share) json["share"] = *row.share;
  if (row.share) json["limit"] = row.limit;
  return json;
}

void write_json(const BenchArguments& arguments, const Environment& environment, const std::vector<BenchRow>& rows) {
  nlohmann::ordered_json json = {{"model", arguments.model},
                                 {"threads", environment.threads},
                                 {"instruction_set", environment.instruction_set},
                                 {"torch", environment.torch_version},
                                 {"quick", arguments.quick}};
  for (const BenchRow& row : rows) json["rows"].push_back(to_json(row));
  write_file_atomic(arguments.json, json.dump(2) + "\n");
}

int run(const BenchArguments& arguments) {
  use_threads(arguments.threads);
  const ModelFolder folder = load_model_folder(arguments.model);
  const Environment environment = current_environment();
  std::printf("%s: width %lld, %lld layers; %d threads, %s, torch %s\n", arguments.model.c_str(),
              static_cast<long long>(folder.model.config.hidden), static_cast<long long>(folder.model.config.layers),
              environment.threads, environment.instruction_set.c_str(), environment.torch_version.c_str());
  std::printf("%-20s  %-48s %12s %20s %9s  %s\n", "part", "work", "each", "rate", "GFLOP/s", "share of the limit");

  BenchEffort effort = arguments.quick ? quick_effort() : BenchEffort();
  if (!arguments.quick) effort.batch = arguments.batch;
  std::vector<BenchRow> rows = bench_gemm(folder.model.config, effort);
  for (const BenchRow& row : rows) print_row(row);
  const BenchInput input{folder, effort, rows.front().flops.value()};
  for (const Bench& bench : benches()) {
    const auto& only = arguments.only;
    if (!only.empty() && std::find(only.begin(), only.end(), bench.name) == only.end()) continue;
    const std::vector<BenchRow> measured = bench.run(input);
    if (measured.empty()) std::printf("%-20s  this model has none\n", bench.name.c_str());
    for (const BenchRow& row : measured) print_row(row);
    rows.insert(rows.end(), measured.begin(), measured.end());
  }
  if (!arguments.json.empty()) write_json(arguments, environment, rows);
  return 0;
}

}  // namespace

void add_bench(CLI::App& app, int& status) {
  CLI::App* command =
      app.add_subcommand("bench", "measure what the parts of a run achieve against this machine's limits");
  auto arguments = std::make_shared<BenchArguments>();
  command->add_option("--model", arguments->model, "model folder")->type_name("FOLDER")->capture_default_str();
  command->add_option("--threads", arguments->threads, "CPU threads; 0: all cores")
      ->type_name("N")
      ->check(CLI::Range(0, 1024).description(""))
      ->capture_default_str();
  command->add_option("--batch", arguments->batch, "images, texts and chains at once")
      ->type_name("N")
      ->check(CLI::Range(8, 65536).description(""))
      ->capture_default_str();
  command
      ->add_option("--only", arguments->only,
                   cat("this part alone, and gemm; may be given again: ", join(bench_names(), ", ")))
      ->type_name("NAME")
      ->allow_extra_args(false)
      ->check(CLI::IsMember(bench_names()).description(""));
  command->add_flag("--quick", arguments->quick, "little work: does it run? The numbers mean nothing");
  command->add_option("--json", arguments->json, "file to write the numbers to")->type_name("FILE");
  command->callback([=, &status] { status = run(*arguments); });
}

}  // namespace diptych
