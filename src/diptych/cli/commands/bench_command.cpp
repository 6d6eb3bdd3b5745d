#include <algorithm>
#include <cstdio>
#include <exception>
#include <nlohmann/json.hpp>

#include "diptych/base/error.h"
#include "diptych/base/text_format.h"
#include "diptych/bench/machine_bench.h"
#include "diptych/bench/published_bench.h"
#include "diptych/cli/commands/command.h"
#include "diptych/cli/compute_options.h"
#include "diptych/io/files.h"
#include "diptych/model/folder/preset.h"
#include "diptych/model/layers/kernel_check.h"
#include "diptych/plan/memory_plan.h"
#include "diptych/tensor/device.h"
#include "diptych/train/run/environment.h"
#include "diptych/train/run/threads.h"

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
  bool profile = false;
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
  const at::ScalarType dtype = compute_dtype(arguments.compute.dtype);
  const at::Device device = open_device(arguments.compute.device, 0, "--device");
  require_sound_kernels(device, dtype);
  return random_model(override_config(model_preset(arguments.like), arguments.overrides), dtype, device);
}

std::string duration_text(double seconds) {
  if (seconds >= 1) return fixed(seconds, 3) + " s ";
  return seconds >= 1e-3 ? fixed(seconds * 1e3, 3) + " ms" : fixed(seconds * 1e6, 3) + " us";
}

/** What `diptych plan` says that the phases of the row need; absent where it knows nothing of them. */
std::optional<double> planned_bytes(const ModelConfig& config, const BenchRow& row) {
  if (!row.planned) return std::nullopt;
  const auto& [recipe, prompt_tokens, phases] = *row.planned;
  PlannedModel planned = planned_model(config, recipe);
  const MemoryPlan plan = plan_memory(planned, recipe, {.prompt_tokens = prompt_tokens});
  int64_t most = 0;
  for (size_t phase = 0; phase < kMemoryPhases; ++phase)
    if (phases.empty() || std::find(phases.begin(), phases.end(), kMemoryPhaseNames[phase]) != phases.end())
      most = std::max(most, plan.total(phase));
  return static_cast<double>(most);
}

std::string gibibytes(double bytes) {
  return fixed(bytes / (1 << 30), 1) + " GiB";
}

void print_profile(const Profile& profile) {
  if (profile.lines.empty()) std::printf("    the profiler saw nothing\n");
  for (const ProfileLine& line : profile.lines)
    std::printf("    %5s %%  %12s  %7lld x  %.100s\n", fixed(100 * line.seconds / profile.seconds, 1).c_str(),
                duration_text(line.seconds).c_str(), static_cast<long long>(line.calls), line.name.c_str());
  if (profile.idle_share)
    std::printf("    %5s %%  of the time the GPU did nothing\n", fixed(100 * *profile.idle_share, 1).c_str());
}

constexpr const char* kRowFormat = "%-36s  %-52s %12s %22s %9s  %s\n";

void print_row(const BenchRow& row) {
  if (!row.failure.empty()) {
    std::printf("%-36s  %-52s  %s\n", row.name.c_str(), row.work.c_str(), row.failure.c_str());
    std::fflush(stdout);
    return;
  }
  const std::string rate = cat(fixed(1 / row.seconds, 1), ' ', row.unit, "s/s");
  const std::string flops = row.flops ? fixed(*row.flops / 1e9, 1) : "-";
  std::vector<std::string> shares;
  if (row.share) shares.push_back(cat(fixed(100 * *row.share, 1), " % of ", row.limit));
  if (row.bytes) shares.push_back(fixed(*row.bytes / 1e9, 1) + " GB/s");
  if (row.peak_bytes) shares.push_back("peak " + gibibytes(*row.peak_bytes));
  if (row.peak_bytes && row.planned_bytes) shares.push_back("planned " + gibibytes(*row.planned_bytes));
  std::printf(kRowFormat, row.name.c_str(), row.work.c_str(), duration_text(row.seconds).c_str(), rate.c_str(),
              flops.c_str(), join(shares, ", ").c_str());
  if (row.profile) print_profile(*row.profile);
  std::fflush(stdout);
}

nlohmann::ordered_json to_json(const Profile& profile) {
  nlohmann::ordered_json json = {{"seconds", profile.seconds}};
  if (profile.idle_share) json["idle_share"] = *profile.idle_share;
  for (const ProfileLine& line : profile.lines)
    json["lines"].push_back({{"name", line.name}, {"calls", line.calls}, {"seconds", line.seconds}});
  return json;
}

nlohmann::ordered_json to_json(const BenchRow& row) {
  if (!row.failure.empty()) return {{"name", row.name}, {"work", row.work}, {"failure", row.failure}};
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
  if (row.planned_bytes) json["planned_bytes"] = *row.planned_bytes;
  if (row.profile) json["profile"] = to_json(*row.profile);
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

BenchEffort effort_of(const BenchArguments& arguments) {
  BenchEffort effort = arguments.quick ? quick_effort() : arguments.like.empty() ? BenchEffort() : published_effort();
  if (!arguments.quick) effort.batch = arguments.batch;
  effort.profile = arguments.profile;
  return effort;
}

BenchRow failed_row(const std::string& bench, const std::string& what) {
  BenchRow row;
  row.name = bench;
  row.failure = "failed: " + what.substr(0, what.find('\n'));
  return row;
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
  std::printf(kRowFormat, "part", "work", "each", "rate", "GFLOP/s", "share of the limit");

  std::vector<BenchRow> rows;
  // Printed and saved one by one: a run that is killed has told what it knew.
  const auto report = [&](BenchRow row) {
    row.planned_bytes = planned_bytes(folder.model.config, row);
    print_row(row);
    rows.push_back(std::move(row));
    if (!arguments.json.empty()) write_json(arguments, environment, rows);
  };
  const BenchEffort effort = effort_of(arguments);
  const std::vector<BenchRow> products = bench_gemm(folder.model, effort);
  for (const BenchRow& row : products) report(row);
  const BenchRow bandwidth = bench_bandwidth(folder.model.embed_tokens.device(), effort);
  report(bandwidth);
  const BenchInput input{folder, effort, report, products.front().flops.value(), bandwidth.bytes.value()};
  std::exception_ptr failure;
  for (const Bench& bench : benches_of(arguments)) {
    const auto& only = arguments.only;
    if (!only.empty() && std::find(only.begin(), only.end(), bench.name) == only.end()) continue;
    const size_t before = rows.size();
    try {
      bench.run(input);
    } catch (const std::exception& error) {
      // The other parts may be well, and time on a GPU is dear.
      if (!failure) failure = std::current_exception();
      report(failed_row(bench.name, error.what()));
    }
    if (rows.size() == before) std::printf("%-36s  this model has none\n", bench.name.c_str());
  }
  if (failure) std::rethrow_exception(failure);
  return 0;
}

/** `diptych bench`: what the parts of a run achieve on this machine, against its limits. */
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
  command->add_flag(
      "--profile", arguments->profile,
      "under each row, the operations (on a GPU the kernels) that took most of one more call, and how much "
      "of it the GPU was idle");
  command->add_option("--json", arguments->json, "file to write the numbers to")->type_name("FILE");
  // A published model is measured as it is trained: in its own dtype, on a GPU if there is one.
  command->get_option("--dtype")->default_str("float32, with --like that of the model");
  command->get_option("--device")->default_str("cpu, with --like cuda if there is one");
  command->callback([=, &status] {
    if (!arguments->like.empty() && command->count("--dtype") == 0)
      arguments->compute.dtype = model_preset(arguments->like).dtype;
    if (!arguments->like.empty() && command->count("--device") == 0 && device_count(at::kCUDA) > 0)
      arguments->compute.device = "cuda";
    status = run(*arguments);
  });
}

}  // namespace

std::vector<Command> bench_command() {
  return {{.order = 190, .add = add_bench}};
}

}  // namespace diptych
