#include "diptych/cli/bench_command.h"

#include <algorithm>
#include <cstdio>
#include <nlohmann/json.hpp>

#include "diptych/base/error.h"
#include "diptych/base/text_format.h"
#include "diptych/bench/machine_bench.h"
#include "diptych/bench/published_bench.h"
#include "diptych/cli/compute_options.h"
#include "diptych/io/files.h"
#include "diptych/model/preset.h"
#include "diptych/tensor/device.h"
#include "diptych/train/environment.h"
#include "diptych/train/session.h"

namespace diptych {

namespace {

struct BenchArguments {
  std::string model = "assets/shapes_base";
  std::string like;                    // name of a preset; empty: the folder
  std::vector<std::string> overrides;  // of the preset
  ComputeOptions compute;
  int64_t batch = BenchEffort().batch;
  std::string json;
  std::vector<std::string> only;
  bool quick = false;
};

const std::vector<Bench>& benches_of(const BenchArguments& arguments) {
  return arguments.like.empty() ? benches() : published_benches();
}

std::vector<std::string> bench_names(const std::vector<Bench>& of) {
  std::vector<std::string> names = {"gemm"};
  for (const Bench& bench : of) names.push_back(bench.name);
  return names;
}

void check(const BenchArguments& arguments) {
  if (arguments.like.empty() && !arguments.overrides.empty())
    throw Error(ExitCode::usage, {arguments.overrides.front(), "--like, whose sizes it changes", "a model folder", ""});
  const std::vector<std::string> names = bench_names(benches_of(arguments));
  for (const std::string& name : arguments.only)
    if (std::find(names.begin(), names.end(), name) == names.end())
      throw Error(ExitCode::usage, {"--only", join(names, ", "), name, ""});
}

ModelFolder model_of(const BenchArguments& arguments) {
  if (arguments.like.empty()) return load_model_folder(arguments.model, arguments.compute);
  use_threads(arguments.compute.threads);
  return random_model(override_config(model_preset(arguments.like), arguments.overrides),
                      compute_dtype(arguments.compute.dtype), open_device(arguments.compute.device, 0, "--device"));
}

std::string duration_text(double seconds) {
  if (seconds >= 1) return fixed(seconds, 3) + " s ";
  return seconds >= 1e-3 ? fixed(seconds * 1e3, 3) + " ms" : fixed(seconds * 1e6, 3) + " us";
}

void print_row(const BenchRow& row) {
  const std::string rate = cat(fixed(1 / row.seconds, 1), ' ', row.unit, "s/s");
  const std::string flops = row.flops ? fixed(*row.flops / 1e9, 1) : "-";
  std::string share = row.share ? cat(fixed(100 * *row.share, 1), " % of ", row.limit) : "";
  if (row.bytes) share += cat(share.empty() ? "" : ", ", fixed(*row.bytes / 1e9, 1), " GB/s");
  if (row.peak_bytes) share += cat(", peak ", fixed(*row.peak_bytes / (1 << 30), 1), " GiB");
  std::printf("%-26s  %-48s %12s %20s %9s  %s\n", row.name.c_str(), row.work.c_str(),
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
  if (row.bytes) json["bytes_per_second"] = *row.bytes;
  if (row.peak_bytes) json["peak_bytes"] = *row.peak_bytes;
  return json;
}

void write_json(const BenchArguments& arguments, const Environment& environment, const std::vector<BenchRow>& rows) {
  nlohmann::ordered_json json = {{"model", arguments.like.empty() ? arguments.model : arguments.like},
                                 {"changes", arguments.overrides},
                                 {"device", arguments.compute.device},
                                 {"dtype", arguments.compute.dtype},
                                 {"threads", environment.threads},
                                 {"instruction_set", environment.instruction_set},
                                 {"torch", environment.torch_version},
                                 {"quick", arguments.quick}};
  for (const BenchRow& row : rows) json["rows"].push_back(to_json(row));
  write_file_atomic(arguments.json, json.dump(2) + "\n");
}

int run(const BenchArguments& arguments) {
  check(arguments);
  const ModelFolder folder = model_of(arguments);
  const Environment environment = current_environment();
  std::printf("%s: width %lld, %lld layers, %s on %s; %d threads, %s, torch %s\n",
              (arguments.like.empty() ? arguments.model : "like " + arguments.like).c_str(),
              static_cast<long long>(folder.model.config.hidden), static_cast<long long>(folder.model.config.layers),
              arguments.compute.dtype.c_str(), arguments.compute.device.c_str(), environment.threads,
              environment.instruction_set.c_str(), environment.torch_version.c_str());
  std::printf("%-26s  %-48s %12s %20s %9s  %s\n", "part", "work", "each", "rate", "GFLOP/s", "share of the limit");

  BenchEffort effort = arguments.quick ? quick_effort() : BenchEffort();
  if (!arguments.quick) effort.batch = arguments.batch;
  std::vector<BenchRow> rows = bench_gemm(folder.model, effort);
  rows.push_back(bench_bandwidth(folder.model.embed_tokens.device(), effort));
  for (const BenchRow& row : rows) print_row(row);
  const auto save = [&] {
    if (!arguments.json.empty()) write_json(arguments, environment, rows);
  };
  save();
  const BenchInput input{folder, effort, rows.front().flops.value(), rows.back().bytes.value()};
  for (const Bench& bench : benches_of(arguments)) {
    const auto& only = arguments.only;
    if (!only.empty() && std::find(only.begin(), only.end(), bench.name) == only.end()) continue;
    const std::vector<BenchRow> measured = bench.run(input);
    if (measured.empty()) std::printf("%-26s  this model has none\n", bench.name.c_str());
    for (const BenchRow& row : measured) print_row(row);
    rows.insert(rows.end(), measured.begin(), measured.end());
    save();  // the next part may not fit
  }
  return 0;
}

}  // namespace

void add_bench(CLI::App& app, int& status) {
  CLI::App* command =
      app.add_subcommand("bench", "measure what the parts of a run achieve against this machine's limits");
  auto arguments = std::make_shared<BenchArguments>();
  command->add_option("--model", arguments->model, "model folder")->type_name("FOLDER")->capture_default_str();
  command
      ->add_option(
          "--like", arguments->like,
          "instead of a folder: random weights at the sizes of this published model, and the phases of training "
          "at the sizes of the papers")
      ->type_name("NAME")
      ->check(CLI::IsMember(model_preset_names()).description(""));
  command->add_option("changes", arguments->overrides, "with --like: other sizes, such as model.layers=2")
      ->type_name("KEY=VALUE");
  add_compute_options(*command, arguments->compute);
  command->add_option("--batch", arguments->batch, "images, texts and chains at once")
      ->type_name("N")
      ->check(CLI::Range(8, 65536).description(""))
      ->capture_default_str();
  command
      ->add_option("--only", arguments->only,
                   cat("this part alone, and gemm; may be given again: ", join(bench_names(benches()), ", "),
                       "; with --like ", join(bench_names(published_benches()), ", ")))
      ->type_name("NAME")
      ->allow_extra_args(false);
  command->add_flag("--quick", arguments->quick, "little work: does it run? The numbers mean nothing");
  command->add_option("--json", arguments->json, "file to write the numbers to")->type_name("FILE");
  command->callback([=, &status] { status = run(*arguments); });
}

}  // namespace diptych
