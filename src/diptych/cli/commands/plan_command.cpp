#include "diptych/tensor/torch.h"

#include <algorithm>
#include <cmath>
#include <cstdio>

#include "diptych/base/error.h"
#include "diptych/base/text_format.h"
#include "diptych/cli/commands/command.h"
#include "diptych/cli/printing.h"
#include "diptych/cli/recipe_arguments.h"
#include "diptych/model/folder/preset.h"
#include "diptych/plan/supervised_plan.h"
#include "diptych/train/check/check_recipe.h"
#include "diptych/train/recipe/load_recipe.h"

namespace diptych {

namespace {

constexpr double kGiB = 1024.0 * 1024.0 * 1024.0;
constexpr double kUsableShare = 0.92;  // the rest is for what is not counted

struct PlanArguments {
  std::string like;
  std::string gpu = "h100";
  PlanOptions options;
};

std::string gib(int64_t bytes) {
  const double number = static_cast<double>(bytes) / kGiB;
  return fixed(number, number < 0.1 ? 4 : 2);
}

/** Three digits, which is more than an estimate is worth: 0.109, 32.5, 2,410. */
std::string three_digits(double number) {
  if (number == 0) return "-";
  const int digits = static_cast<int>(std::floor(std::log10(number))) + 1;  // in front of the point
  if (digits <= 3) return fixed(number, std::min(3 - digits, 4));
  const double unit = std::pow(10, digits - 3);
  return grouped(std::llround(std::round(number / unit) * unit));
}

std::string duration(double seconds) {
  if (seconds < 120) return three_digits(seconds) + " s";
  if (seconds < 120 * 60) return three_digits(seconds / 60) + " min";
  return three_digits(seconds / 3600) + " h";
}

ModelConfig planned_config(const std::string& model, const PlanArguments& arguments) {
  if (!arguments.like.empty()) return model_preset(arguments.like).config;
  if (std::filesystem::is_directory(model)) return load_model_config(model);
  throw Error(ExitCode::model, {"model", "a model folder, of which the config files are read",
                                "no folder '" + model + "'", "give model=FOLDER, or --like bagel-7b"});
}

void print_count(const char* name, int64_t count) {
  if (count > 0) std::printf("  %-34s %17s\n", name, grouped(count).c_str());
}

void print_parameters(const ParameterCounts& counts) {
  std::printf("Parameters\n");
  print_count("understanding expert", counts.und_expert);
  print_count("generation expert", counts.gen_expert);
  print_count("word embeddings and text head", counts.vocabulary);
  print_count("ViT and connector", counts.vit);
  print_count("others", counts.other);
  print_count("transformer", counts.total);
  print_count("autoencoder", counts.autoencoder);
  print_count("adapters", counts.adapters);
  print_count("trained, understanding expert", counts.trained_und);
  print_count("trained, generation expert", counts.trained_gen);
}

void print_row(const MemoryRow& row, const std::vector<size_t>& phases) {
  std::printf("  %-24s", row.name.c_str());
  for (const size_t phase : phases) std::printf(" %10s", row.bytes[phase] == 0 ? "-" : gib(row.bytes[phase]).c_str());
  std::printf("\n");
}

void print_host_memory(const MemoryPlan& plan, int64_t ranks) {
  constexpr int64_t kRanksOfAMachine = 8;
  constexpr double kLargeHost = 1e12;  // bytes, from which on a machine may have less
  std::vector<std::string> parts;
  int64_t sum = 0;
  for (const auto& [name, bytes] : plan.host) {
    if (bytes > 0) parts.push_back(cat(name, " ", gib(bytes)));
    sum += bytes;
  }
  if (parts.empty()) return;
  std::printf("  In the host's memory instead%s: %s.\n", ranks == 1 ? "" : ", of each rank", join(parts, ", ").c_str());
  const int64_t beside = std::min(ranks, kRanksOfAMachine);
  const auto bytes = static_cast<double>(beside * sum);
  if (bytes > kLargeHost)
    std::printf("  That is %s TB of %s: see whether the machine has it.\n", three_digits(bytes * 1e-12).c_str(),
                beside == 1 ? "the one rank" : cat(beside, " ranks on one machine").c_str());
}

void print_memory(const MemoryPlan& plan, int64_t ranks) {
  std::printf("\nMemory of %s, GiB\n  %-24s", ranks == 1 ? "the one rank" : cat("each of ", ranks, " ranks").c_str(),
              "");
  std::vector<size_t> phases;
  for (size_t phase = 0; phase < kMemoryPhases; ++phase)
    if (plan.total(phase) > 0) phases.push_back(phase);
  for (const size_t phase : phases) std::printf(" %10s", kMemoryPhaseNames[phase]);
  std::printf("\n");
  MemoryRow totals{"together", {}};
  for (const MemoryRow& row : plan.rows)
    if (row.bytes != totals.bytes) print_row(row, phases);
  for (const size_t phase : phases) totals.bytes[phase] = plan.total(phase);
  print_row(totals, phases);
  print_host_memory(plan, ranks);
}

void print_advice(const std::vector<Advice>& all, int64_t limit) {
  for (size_t i = 0; i < all.size(); ++i)
    std::printf("  %zu. %-34s saves %9s GiB, then %9s GiB: %s\n", i + 1, all[i].change.c_str(),
                gib(all[i].saved).c_str(), gib(all[i].peak).c_str(), all[i].cost.c_str());
  if (all.empty() || all.back().peak > limit)
    std::printf("  No further change that this command knows makes it fit: take a larger card or a smaller model.\n");
}

void print_lesser_trainings(const std::vector<Advice>& lesser, const std::vector<Advice>& said) {
  const auto is_new = [&](const Advice& advice) {
    return std::none_of(said.begin(), said.end(), [&](const Advice& other) { return other.change == advice.change; });
  };
  bool first = true;
  for (const Advice& advice : lesser) {
    if (!is_new(advice)) continue;
    if (first) std::printf("Or, training less, on as many cards as now:\n");
    first = false;
    std::printf("  %s\n      saves %9s GiB, then %9s GiB: %s\n", advice.change.c_str(), gib(advice.saved).c_str(),
                gib(advice.peak).c_str(), advice.cost.c_str());
  }
}

template <class Recipe>
void print_fit(const MemoryPlan& plan, const ModelConfig& config, const Recipe& recipe, const PlanOptions& options,
               const Gpu& gpu) {
  const auto limit = static_cast<int64_t>(kUsableShare * gpu.memory_gib * kGiB);
  const bool fits = plan.peak() <= limit;
  std::printf("\nPeak %s GiB, in phase '%s'. One %s has %s GiB, of which %s are planned with: it %s.\n",
              gib(plan.peak()).c_str(), kMemoryPhaseNames[plan.peak_phase()], gpu.name.c_str(),
              fixed(gpu.memory_gib, 0).c_str(), gib(limit).c_str(), fits ? "fits" : "does not fit");
  if (fits) return;
  std::printf("What to change first, each behind those above it:\n");
  const std::vector<Advice> all = advise(config, recipe, options, limit);
  print_advice(all, limit);
  if constexpr (std::is_same_v<Recipe, RlRecipe>)
    print_lesser_trainings(lesser_trainings(config, recipe, options, limit), all);
}

void print_costs(const std::vector<PhaseCost>& costs, const Gpu& gpu, const Efficiency& efficiency) {
  std::printf("\nOne step on one %s for each rank, estimated\n  %-16s %12s %12s %12s\n", gpu.name.c_str(), "", "TFLOP",
              "GB streamed", "time");
  double flops = 0, seconds = 0;
  for (const PhaseCost& cost : costs) {
    if (cost.seconds == 0) continue;
    std::printf("  %-16s %12s %12s %12s\n", cost.name.c_str(), three_digits(cost.flops * 1e-12).c_str(),
                three_digits(cost.bytes * 1e-9).c_str(), duration(cost.seconds).c_str());
    flops += cost.flops;
    seconds += cost.seconds;
  }
  std::printf("  %-16s %12s %12s %12s\n", "together", three_digits(flops * 1e-12).c_str(), "",
              duration(seconds).c_str());
  std::printf(
      "  Assumed, not measured: %s of the card's data-sheet arithmetic (bfloat16 %s, float32 %s TFLOP/s) and %s of "
      "its\n  bandwidth (%s TB/s); a pass takes the longer of the two.\n",
      cat(fixed(100 * efficiency.compute, 0), " %").c_str(), cat(gpu.bfloat16_tflops).c_str(),
      cat(gpu.float32_tflops).c_str(), cat(fixed(100 * efficiency.bandwidth, 0), " %").c_str(),
      cat(gpu.bandwidth_tbs).c_str());
}

constexpr const char* kAlwaysCounted =
    "  a build with the kernels for CUDA (nvcc), texts that stand in the recipe at 4 characters a token.\n";
constexpr const char* kNeverCounted =
    "Not counted: CUDA context and libraries, workspaces of kernels, fragmentation of the allocator, buffers of NCCL,\n"
    "  evaluation, ";

void print_notes(const RlRecipe& recipe, const ModelConfig& config, const PlanOptions& options) {
  const Workload work = workload_of(config, recipe, options);
  std::printf(
      "\nCounted: thoughts of rollout.max_think_tokens = %lld tokens in memory and %lld in time, contexts of %lld "
      "tokens,\n  all groups as contributing, every stage of an episode as its last,\n%s",
      static_cast<long long>(recipe.rollout.max_think_tokens), static_cast<long long>(work.think_tokens),
      static_cast<long long>(token_count(work.context.full)), kAlwaysCounted);
  std::printf(
      "%sa reward's own model, encoding images for a context; in time also rewards, messages between ranks,\n"
      "  launches.\n",
      kNeverCounted);
  if (const std::optional<Workload> first = first_pictures(config, recipe, options)) {
    const auto pictures = static_cast<long long>(first->chains);
    std::printf(
        "First pictures: %lld a rank, of one draw of prompts; where no refinement improves on them, up to\n"
        "  refine.draws = %lld draws are sampled, pictures and refinements.\n",
        pictures, static_cast<long long>(recipe.refine.draws));
    if (recipe.refine.mix_t2i)
      std::printf("Not counted either: training on these %lld pictures (refine.mix_t2i), beside %lld chains.\n",
                  pictures, static_cast<long long>(work.stages * work.chains));
  }
}

void print_notes(const SftRecipe& recipe, const ModelConfig& config, const PlanOptions& options) {
  const SupervisedWork work = supervised_work(config, recipe, options);
  const int64_t side = work.grid * latent_token_pixels(config);
  std::printf(
      "\nCounted: examples of a request of %lld tokens, a thought of %lld and a picture of %lld x %lld pixels to "
      "learn, with %s\n  picture to start from, none without its text,\n%s",
      static_cast<long long>(options.prompt_tokens), static_cast<long long>(work.think_tokens),
      static_cast<long long>(side), static_cast<long long>(side), work.sources == 0 ? "no" : cat(work.sources).c_str(),
      kAlwaysCounted);
  std::printf("%sencoding pictures; in time also messages between ranks, launches.\n", kNeverCounted);
  if (work.pixels != side)
    std::printf("Pictures of %lld x %lld pixels are resized to %lld x %lld, as the model's rules have it.\n",
                static_cast<long long>(work.pixels), static_cast<long long>(work.pixels), static_cast<long long>(side),
                static_cast<long long>(side));
}

int64_t samples_of_step(const RlRecipe& recipe, const ModelConfig& config, const PlanOptions& options) {
  const Workload work = workload_of(config, recipe, options);
  return work.stages * work.chains;
}

int64_t samples_of_step(const SftRecipe& recipe, const ModelConfig& config, const PlanOptions& options) {
  return supervised_work(config, recipe, options).examples;
}

void print_idle(int64_t idle, const char* dealt, int64_t ranks) {
  if (idle == 0) return;
  std::printf("%lld of the %lld ranks have no %s in a step: --ranks %lld takes as long.\n",
              static_cast<long long>(idle), static_cast<long long>(ranks), dealt, static_cast<long long>(ranks - idle));
}

template <class Recipe>
void print_plan(const Recipe& recipe, const char* samples, const RecipeArguments& files,
                const PlanArguments& arguments) {
  const Gpu gpu = gpu_named(arguments.gpu);
  const PlanOptions& options = arguments.options;
  const ModelConfig config = planned_config(recipe.model, arguments);
  PlannedModel planned = planned_model(config, recipe);
  const MemoryPlan memory = plan_memory(planned, recipe, options);
  std::printf("%s: %s in %s, %lld %s a rank and step\n", files.recipe.c_str(),
              arguments.like.empty() ? recipe.model.c_str() : arguments.like.c_str(), recipe.run.dtype.c_str(),
              static_cast<long long>(samples_of_step(recipe, config, options)), samples);
  print_idle(idle_ranks(recipe, options), std::is_same_v<Recipe, RlRecipe> ? "prompts" : "examples", options.ranks);
  print_parameters(parameter_counts(planned));
  print_memory(memory, options.ranks);
  print_fit(memory, config, recipe, options, gpu);
  const Efficiency efficiency;
  print_costs(plan_costs(planned, recipe, options, gpu, efficiency), gpu, efficiency);
  print_notes(recipe, config, options);
}

bool names_a_model(const RecipeArguments& files) {
  std::string model;
  try {
    ConfigReader(files.recipe, files.overrides)("model", model, "");
  } catch (const Error&) {
    return false;
  }
  return true;
}

std::string kind_of(const RecipeArguments& files) {
  std::string kind;
  ConfigReader(files.recipe, files.overrides).choice("kind", kind, {"rl", "sft"}, "");
  if (!kind.empty()) return kind;
  if (names_a_model(files)) return "rl";
  throw Error(ExitCode::config, {files.recipe + ": kind", "rl or sft, the kinds that train the transformer",
                                 "none, as in the recipes of diptych init, which describe a model", ""});
}

int run(const RecipeArguments& files, const PlanArguments& arguments) {
  if (kind_of(files) == "sft") {
    print_plan(load_config<SftRecipe>(files.recipe, files.overrides), "examples", files, arguments);
    return 0;
  }
  if (arguments.options.picture_pixels >= 0 || arguments.options.source_pictures >= 0)
    throw Error(ExitCode::usage, {"--picture-pixels, --source-pictures", "a recipe of kind sft", "one of kind rl",
                                  "its pictures are of rollout.image_size, and the episode says what it starts from"});
  print_plan(checked_recipe(load_rl_recipe(files.recipe, files.overrides)), "chains", files, arguments);
  return 0;
}

/** `diptych plan RECIPE [key=value...]`: memory, operations and time of a training recipe on a card, without one. */
void add_plan(CLI::App& app, int& status) {
  CLI::App* command = app.add_subcommand(
      "plan",
      "what a recipe needs that trains the transformer (kind rl or sft): parameters, memory of each rank, time");
  auto files = add_recipe_arguments(*command, "recipes/bagel_unigrpo.toml");
  auto arguments = std::make_shared<PlanArguments>();
  std::vector<std::string> gpus;
  for (const Gpu& gpu : gpu_table()) gpus.push_back(gpu.name);
  command->add_option("--like", arguments->like, "in place of the recipe's model, the sizes of this published one")
      ->type_name("NAME")
      ->check(CLI::IsMember(model_preset_names()).description(""));
  command->add_option("--gpu", arguments->gpu, "card: " + join(gpus, ", "))->type_name("NAME")->capture_default_str();
  command->add_option("--ranks", arguments->options.ranks, "processes, one a card")
      ->type_name("N")
      ->check(CLI::Range(1, 65536).description(""))
      ->capture_default_str();
  command->add_option("--prompt-tokens", arguments->options.prompt_tokens, "length of a request")
      ->type_name("N")
      ->check(CLI::Range(1, 1000000).description(""))
      ->capture_default_str();
  command
      ->add_option(
          "--think-tokens", arguments->options.think_tokens,
          "expected length of a thought, for the time, up to rollout.max_think_tokens, which is the default; of "
          "kind sft any length, 0 for none, and for memory too")
      ->type_name("N")
      ->check(CLI::Range(0, 1000000).description(""));
  command
      ->add_option("--picture-pixels", arguments->options.picture_pixels,
                   "of kind sft: side of an example's pictures; default: the largest that the model takes")
      ->type_name("N")
      ->check(CLI::Range(1, 1000000).description(""));
  command
      ->add_option("--source-pictures", arguments->options.source_pictures,
                   "of kind sft: pictures that an example starts from; default: 1 where the shapes world has such "
                   "examples, else 0")
      ->type_name("N")
      ->check(CLI::Range(0, 64).description(""));
  command->callback([=, &status] { status = run(*files, *arguments); });
}

}  // namespace

std::vector<Command> plan_command() {
  return {{.order = 50, .add = add_plan}};
}

}  // namespace diptych
