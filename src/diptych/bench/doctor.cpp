#include "diptych/tensor/torch.h"

#include "diptych/bench/doctor.h"

#include <c10/core/impl/DeviceGuardImplInterface.h>
#include <unistd.h>

#include <cmath>
#include <cstdlib>
#include <nlohmann/json.hpp>

#include "diptych/base/error.h"
#include "diptych/base/processors.h"
#include "diptych/base/text_format.h"
#include "diptych/distributed/transport.h"
#include "diptych/eval/benchmarks/benchmarks.h"
#include "diptych/io/json_lines.h"
#include "diptych/model/attention/attention_loops.h"
#include "diptych/model/layers/fused_kernels.h"
#include "diptych/model/layers/kernel_check.h"
#include "diptych/rollout/episodes/episodes.h"
#include "diptych/tensor/device.h"
#include "diptych/train/loops/rl.h"
#include "diptych/train/run/environment.h"

namespace diptych {

namespace {

constexpr double kGigabyte = 1e9;
constexpr double kLeastMemory = 2;  // gigabytes; the quickstart's peak is .6, a compiler beside it takes as much again
constexpr double kLeastDisk = 1;    // a run of the small model leaves about 100 MB
constexpr int64_t kTrivialSteps = 18;
constexpr int64_t kTrivialPrompts = 8;

/** "2 cores", and what it is that allows no more of the machine's. */
std::string describe_cores(const Processors& processors) {
  const int count = processor_count(processors);
  const long online = sysconf(_SC_NPROCESSORS_ONLN);
  std::string text = cat(count, count == 1 ? " core" : " cores");
  if (count < online) text += cat(" of ", online);
  if (static_cast<long>(processors.allowed.size()) < online)
    text += cat(", the affinity allows ", processors.allowed.size());
  if (processors.quota) text += cat(", the quota of the control group ", fixed(processors.quota->processors, 2));
  return text;
}

CheckResult check_processor() {
  return {Health::ok, "processor", describe_cores(usable_processors())};
}

// Runs are bit-identical under equal ones only.
CheckResult check_instructions() {
  const std::string torch_kernels = current_environment().instruction_set;
  std::string detail = cat("torch ", torch_kernels, ", attention ", name_of(instruction_set()), ", bfloat16 products ",
                           has_bfloat16_products() ? "in hardware" : "emulated: float32 is faster here");
  for (const char* variable : {"ATEN_CPU_CAPABILITY", "MKL_ENABLE_INSTRUCTIONS", "MKL_CBWR", "ONEDNN_MAX_CPU_ISA"})
    if (const char* value = std::getenv(variable)) detail += cat(", ", variable, "=", value);
  if (torch_kernels == "DEFAULT")
    return {Health::warning, "kernels", cat(detail, ": without AVX2 everything is many times slower")};
  return {Health::ok, "kernels", detail};
}

CheckResult check_memory() {
  const double free = static_cast<double>(sysconf(_SC_AVPHYS_PAGES)) * static_cast<double>(sysconf(_SC_PAGESIZE));
  const double all = static_cast<double>(sysconf(_SC_PHYS_PAGES)) * static_cast<double>(sysconf(_SC_PAGESIZE));
  const std::string detail = cat(fixed(all / kGigabyte, 1), " GB, ", fixed(free / kGigabyte, 1), " GB free");
  if (all / kGigabyte < kLeastMemory)
    return {Health::warning, "memory", cat(detail, ": less than the ", kLeastMemory, " GB that the small model wants")};
  return {Health::ok, "memory", detail};
}

CheckResult check_disk() {
  std::error_code failure;
  const std::filesystem::space_info space = std::filesystem::space(std::filesystem::current_path(), failure);
  if (failure) return {Health::warning, "disk", cat("its free space is unknown: ", failure.message())};
  const double free = static_cast<double>(space.available) / kGigabyte;
  const std::string detail = cat(fixed(free, 1), " GB free in the current folder");
  if (free < kLeastDisk)
    return {Health::warning, "disk", cat(detail, ": checkpoints may not fit; set run.dir to another disk")};
  return {Health::ok, "disk", detail};
}

CheckResult check_build() {
  const int gpus = device_count(at::kCUDA);
  const std::string detail =
      cat("LibTorch ", current_environment().torch_version, ", ",
          gpus == 0 ? "no GPU" : cat(gpus, gpus == 1 ? " GPU" : " GPUs", " (run.device=cuda computes there)"));
#ifdef NDEBUG
  return {Health::ok, "build", cat("optimised, ", detail)};
#else
  return {Health::warning, "build", cat("with assertions, ", detail, ": slow; build with ./dev build for real work")};
#endif
}

CheckResult check_nccl(int gpus) {
  if (nccl_compiled_in()) return {Health::ok, "NCCL", "compiled in: the GPUs of several processes talk to each other"};
  return {gpus > 1 ? Health::warning : Health::ok, "NCCL",
          "not compiled in: several processes talk by way of the CPU, many times slower. Its headers must lie beside "
          "LibTorch's, or in -DNCCL_INCLUDE_DIR=... (docs/gpu.md)"};
}

CheckResult check_kernels(int gpus) {
  if (!has_fused_kernels(at::kCUDA))
    return {Health::warning, "GPU kernels",
            "built without the fused layers for CUDA: slower; nvcc must be on the PATH"};
  for (int gpu = 0; gpu < gpus; ++gpu) {
    const at::Device device(at::kCUDA, static_cast<c10::DeviceIndex>(gpu));
    if (const std::string damage = kernel_damage(device); !damage.empty())
      return {Health::failure, "GPU kernels",
              cat(device.str(), ": ", damage,
                  ". Build with DIPTYCH_CMAKE_FLAGS=-DDIPTYCH_CUDA_KERNELS=OFF, and report it")};
  }
  return {Health::ok, "GPU kernels", "the fused layers compute there what float64 does on the CPU"};
}

CheckResult check_weights(Bagel& model) {
  int64_t count = 0;
  std::vector<std::string> damaged;
  for (const auto& slots : {transformer_slots(model), autoencoder_slots(model)}) {
    for (const ParameterSlot& slot : slots) {
      count += slot.tensor->numel();
      if (!at::isfinite(*slot.tensor).all().item<bool>()) damaged.push_back(slot.name);
    }
  }
  if (!damaged.empty())
    return {
        Health::failure, "weights",
        cat("not finite: ", join(damaged, ", "), ". Copy or make the folder again; nothing can be trained from it")};
  return {Health::ok, "weights", cat(fixed(static_cast<double>(count) * 1e-6, 2), " million, all finite")};
}

CheckResult check_tokenizer(const Tokenizer& tokenizer) {
  const std::string text = "a photo of three red circles";
  const std::string back = tokenizer.decode(tokenizer.encode(text));
  if (back != text)
    return {Health::failure, "tokenizer",
            cat("'", text, "' comes back as '", back, "'. vocab.json and merges.txt do not belong together")};
  return {Health::ok, "tokenizer", "text comes back as it went in"};
}

CheckResult check_forward(const ModelFolder& folder) {
  EpisodeOptions options;
  options.program = episode_program("think");
  options.text.max_tokens = 16;
  options.schedule.grid = {1, 0.5, 0};
  options.image_height = options.image_width = 4 * latent_token_pixels(folder.model.config);
  const Rollout rollout =
      roll_out(folder.model, folder.tokenizer, {.prompts = {{.text = "a red circle"}}, .options = options});
  const Tensor& latent = rollout.stages.front().image->latent;
  if (!at::isfinite(latent).all().item<bool>())
    return {Health::failure, "forward", "a picture that is not finite: the weights do not fit the configuration"};
  return {Health::ok, "forward", cat("a thought and a picture of ", options.image_height, " pixels")};
}

double value_or(const MetricRow& row, const std::string& name, double otherwise) {
  const auto found = row.find(name);
  return found == row.end() ? otherwise : found->second;
}

/** Mean reward of the rows and the square of its standard error. */
std::pair<double, double> mean_reward(const MetricRows& rows, size_t begin, size_t end, int64_t chains) {
  double sum = 0, variance = 0;
  const auto count = static_cast<double>(end - begin);
  for (size_t i = begin; i < end; ++i) {
    const double deviation = value_or(rows[i], "reward/std", 0);
    sum += value_or(rows[i], "reward/mean", 0);
    variance += deviation * deviation / static_cast<double>(chains);
  }
  return {sum / count, variance / (count * count)};
}

}  // namespace

std::vector<CheckResult> check_machine() {
  std::vector<CheckResult> results = {check_processor(), check_instructions(), check_memory(), check_disk(),
                                      check_build()};
  const int gpus = device_count(at::kCUDA);
  if (c10::impl::hasDeviceGuardImpl(at::kCUDA)) results.push_back(check_nccl(gpus));
  if (gpus > 0) results.push_back(check_kernels(gpus));
  return results;
}

std::vector<CheckResult> check_model(const std::filesystem::path& path) {
  try {
    ModelFolder folder = load_model_folder(path);
    std::vector<CheckResult> findings = {check_weights(folder.model), check_tokenizer(folder.tokenizer)};
    if (findings.front().health == Health::ok) findings.push_back(check_forward(folder));
    return findings;
  } catch (const Error& error) {
    return {{Health::failure, "folder", error.what()}};
  }
}

CheckResult judge_rise(const MetricRows& rows, int64_t chains_per_step) {
  const size_t third = rows.size() / 3;
  if (third == 0) return {Health::failure, "reward", cat("only ", rows.size(), " steps were trained")};
  const auto [first, first_error] = mean_reward(rows, 0, third, chains_per_step);
  const auto [last, last_error] = mean_reward(rows, rows.size() - third, rows.size(), chains_per_step);
  const double rise = (last - first) / std::sqrt(std::max(first_error + last_error, 1e-12));
  const std::string detail = cat("brightness ", fixed(first, 3), " -> ", fixed(last, 3), " in ", rows.size(),
                                 " steps, ", fixed(rise, 1), " standard errors");
  if (rise < kSureRise)
    return {Health::failure, "reward",
            cat(detail, ". Training does not learn here: report it with the output of this command")};
  return {Health::ok, "reward", detail};
}

CheckResult judge_numerics(const MetricRows& rows, const RlRecipe& recipe) {
  double text = 0, image = 0, skipped = 0;
  for (const MetricRow& row : rows) {
    text = std::max(text, value_or(row, "gate/text_max", 0));
    image = std::max(image, value_or(row, "gate/image_max", 0));
    skipped += value_or(row, "update/skipped", 0);
  }
  const std::string detail = cat("rollout and replay differ by at most ", text, " (text) and ", image,
                                 " (image), tolerated ", recipe.train.gate_text, " and ", recipe.train.gate_image);
  if (skipped > 0) return {Health::failure, "numerics", cat(skipped, " updates were not finite; ", detail)};
  return {Health::ok, "numerics", detail};
}

RlRecipe trivial_recipe(RlRecipe recipe, const std::filesystem::path& run_folder) {
  recipe.run.dir = run_folder.string();
  recipe.run.resume = "never";
  recipe.run.checkpoint_every = 0;
  recipe.reward.kind = "brightness";
  recipe.prompts.per_step = kTrivialPrompts;
  recipe.train.steps = kTrivialSteps;
  recipe.train.record_every = 0;
  for (const Benchmark& benchmark : benchmarks()) benchmark.turn_off(recipe.eval);
  recipe.optimizer.warmup_steps = 2;
  return recipe;
}

std::vector<CheckResult> check_training(const RlRecipe& recipe, const std::filesystem::path& run_folder) {
  const RlRecipe trivial = trivial_recipe(recipe, run_folder);
  MetricRows rows;
  try {
    train_rl(trivial);
    read_json_lines(run_folder / "metrics.jsonl", [&](int64_t, const nlohmann::json& line) {
      if (line.contains("reward/mean")) rows.push_back(line.get<MetricRow>());
    });
  } catch (const Error& error) {
    return {{Health::failure, "training", error.what()}};
  }
  return {judge_numerics(rows, trivial), judge_rise(rows, kTrivialPrompts * trivial.train.group_size)};
}

}  // namespace diptych
