#include "diptych/cli/sample_command.h"

#include <cstdio>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>

#include "diptych/base/error.h"
#include "diptych/base/text_format.h"
#include "diptych/data/prompt_file.h"
#include "diptych/io/files.h"
#include "diptych/io/json_lines.h"
#include "diptych/model/folder.h"
#include "diptych/train/rollout_config.h"
#include "diptych/train/session.h"

namespace diptych {

namespace {

constexpr int kGridColumns = 8;      // where each prompt has one image
constexpr int64_t kGridPixels = 96;  // smaller images are enlarged to at least this many pixels a side
constexpr int kGridGap = 4;

struct SampleArguments {
  std::string model;
  std::vector<std::string> prompts;
  std::string prompt_file;
  std::string out = "samples";
  std::string grid;
  int64_t seed = 0;
  int64_t count = 1;
  int64_t threads = 0;
  bool no_think = false;
  double guidance = 1;
  double temperature = 1;
  double top_p = 1;
  int64_t top_k = 0;
  std::optional<std::string> system_prompt;
  std::optional<int64_t> max_think_tokens;
  std::optional<int64_t> size;
  std::optional<int64_t> steps;
  std::optional<double> shift;
  std::optional<int64_t> batch;
};

/** What an option that is not given means. */
struct SampleDefaults {
  const char* system_prompt;
  int64_t max_think_tokens;
  int64_t steps;
  double shift;
  int64_t batch;
};

// 49 updates are the 50 grid points of BAGEL's own inference.
constexpr SampleDefaults kBagelDefaults = {
    .system_prompt = "bagel", .max_think_tokens = 1024, .steps = 49, .shift = 3, .batch = 8};
constexpr SampleDefaults kSmallDefaults = {
    .system_prompt = "none", .max_think_tokens = 40, .steps = 5, .shift = 2, .batch = 128};

std::vector<std::string> requested_prompts(const SampleArguments& arguments) {
  if (arguments.prompts.empty() == arguments.prompt_file.empty())
    throw Error(ExitCode::usage, {"diptych sample", "either --prompt TEXT or --prompts FILE",
                                  arguments.prompts.empty() ? "neither" : "both", ""});
  if (arguments.prompt_file.empty()) return arguments.prompts;
  std::vector<std::string> prompts;
  for (PromptRecord& record : read_prompts(arguments.prompt_file)) prompts.push_back(std::move(record.text));
  return prompts;
}

EpisodeOptions sampling_options(const SampleArguments& arguments, const ModelConfig& model) {
  const SampleDefaults& defaults =
      model.max_latent_size >= ModelConfig().max_latent_size ? kBagelDefaults : kSmallDefaults;
  RolloutConfig config;
  config.episode = arguments.no_think ? "t2i" : "think";
  config.system_prompt = arguments.system_prompt.value_or(defaults.system_prompt);
  config.max_think_tokens = arguments.max_think_tokens.value_or(defaults.max_think_tokens);
  config.temperature = arguments.temperature;
  config.top_p = arguments.top_p;
  config.top_k = arguments.top_k;
  config.image_size = arguments.size.value_or(model.vae_transform.max_long);
  config.updates = arguments.steps.value_or(defaults.steps);
  config.timestep_shift = arguments.shift.value_or(defaults.shift);
  config.window_range = {0, config.updates};
  config.window_size = 0;
  config.guidance.text_scale = arguments.guidance;
  config.chains_per_pack = arguments.batch.value_or(defaults.batch);
  // roll_out checks this too, but only after the thinking, which takes minutes in a large model.
  const int64_t unit = latent_token_pixels(model);
  if (config.image_size % unit != 0 || config.image_size > unit * model.max_latent_size)
    throw Error(ExitCode::usage, {"--size", cat("a multiple of ", unit, " up to ", unit * model.max_latent_size),
                                  cat(config.image_size), ""});
  return episode_options(config, 0);
}

std::string image_name(size_t prompt, int64_t sample) {
  char name[64];
  std::snprintf(name, sizeof name, "%04zu_%lld.png", prompt, static_cast<long long>(sample));
  return name;
}

nlohmann::json sample_json(const Trajectory& chain, const std::string& name, int64_t seed) {
  nlohmann::json line{{"prompt", chain.candidate.prompt}, {"path", name}, {"seed", seed}, {"sample", chain.sample}};
  if (chain.text) {
    line["thinking"] = chain.candidate.texts.front();
    line["truncated"] = chain.text->truncated;
  }
  return line;
}

void print_sample(const Trajectory& chain, const std::string& file) {
  if (chain.sample == 0) std::printf("prompt    %s\n", chain.candidate.prompt.c_str());
  if (chain.text)
    std::printf("thinking  %s%s\n", chain.candidate.texts.front().c_str(),
                chain.text->truncated ? " [cut at --max-think-tokens]" : "");
  std::printf("image     %s\n", file.c_str());
  std::fflush(stdout);
}

void write_grid(const std::filesystem::path& file, const std::vector<Image>& images, int64_t count) {
  if (file.has_parent_path()) make_folder(file.parent_path());
  const int64_t side = images.front().width;
  const auto scale = static_cast<int>((kGridPixels + side - 1) / side);
  write_png(file, image_grid(images, count > 1 ? static_cast<int>(count) : kGridColumns, kGridGap, scale));
  std::printf("grid      %s\n", file.string().c_str());
}

int sample(const SampleArguments& arguments) {
  const std::vector<std::string> prompts = requested_prompts(arguments);
  const std::filesystem::path out = arguments.out;
  make_folder(out);
  std::filesystem::remove(out / "samples.jsonl");
  use_threads(arguments.threads);
  const ModelFolder folder = load_model_folder(arguments.model);
  const EpisodeOptions options = sampling_options(arguments, folder.model.config);

  JsonLinesWriter lines(out / "samples.jsonl");
  std::vector<Image> grid;
  // A part of the prompts at a time, so that results appear as they are made. Parts change no draw.
  const auto part = static_cast<size_t>(std::max<int64_t>(1, options.chains_per_pack / arguments.count));
  for (size_t begin = 0; begin < prompts.size(); begin += part) {
    std::vector<EpisodePrompt> episodes;
    for (size_t i = begin; i < std::min(prompts.size(), begin + part); ++i) episodes.push_back({prompts[i], i});
    const Rollout rollout = roll_out(folder.model, folder.tokenizer, episodes, arguments.count, options,
                                     static_cast<uint64_t>(arguments.seed), /*step=*/0);
    for (const Trajectory& chain : rollout.chains) {
      const std::string name = image_name(begin + static_cast<size_t>(chain.prompt), chain.sample);
      const Image& image = chain.candidate.images.back();
      write_png(out / name, image);
      lines.write(sample_json(chain, name, arguments.seed));
      print_sample(chain, (out / name).string());
      if (!arguments.grid.empty()) grid.push_back(image);
    }
  }
  if (!arguments.grid.empty()) write_grid(arguments.grid, grid, arguments.count);
  return 0;
}

void add_prompt_options(CLI::App& command, SampleArguments& arguments) {
  command.add_option("model", arguments.model, "model folder, such as assets/shapes_base")
      ->required()
      ->type_name("MODEL");
  command.add_option("--prompt", arguments.prompts, "what to paint; may be given several times")
      ->type_name("TEXT")
      ->allow_extra_args(false);
  command.add_option("--prompts", arguments.prompt_file, "file of prompts instead, .txt or .jsonl (docs/data.md)")
      ->type_name("FILE");
  command.add_option("--count", arguments.count, "images per prompt")
      ->type_name("N")
      ->check(CLI::Range(1, 100000).description(""))
      ->capture_default_str();
  command.add_option("--seed", arguments.seed, "another number, other samples")->type_name("N")->capture_default_str();
  command.add_option("--out", arguments.out, "folder for the images and samples.jsonl")
      ->type_name("FOLDER")
      ->capture_default_str();
  command.add_option("--grid", arguments.grid, "one more PNG file with all images")->type_name("FILE");
}

void add_thinking_options(CLI::App& command, SampleArguments& arguments) {
  const std::string group = "Thinking";
  command.add_flag("--no-think", arguments.no_think, "paint at once")->group(group);
  command
      .add_option("--system-prompt", arguments.system_prompt,
                  "in front of prompts that think: none, bagel, or the text itself [none; BAGEL: bagel]")
      ->type_name("TEXT")
      ->group(group);
  command.add_option("--temperature", arguments.temperature, "0 takes the most probable token")
      ->type_name("X")
      ->check(CLI::Range(0.0, 100.0).description(""))
      ->capture_default_str()
      ->group(group);
  command.add_option("--top-p", arguments.top_p, "only the most probable tokens that make up this share")
      ->type_name("X")
      ->check(CLI::Range(0.0, 1.0).description(""))
      ->capture_default_str()
      ->group(group);
  command.add_option("--top-k", arguments.top_k, "only this many most probable tokens; 0: all")
      ->type_name("N")
      ->check(CLI::Range(0, 1000000).description(""))
      ->capture_default_str()
      ->group(group);
  command.add_option("--max-think-tokens", arguments.max_think_tokens, "cap of a thought [40; BAGEL: 1024]")
      ->type_name("N")
      ->check(CLI::Range(1, 1000000).description(""))
      ->group(group);
}

void add_painting_options(CLI::App& command, SampleArguments& arguments) {
  const std::string group = "Painting";
  command.add_option("--size", arguments.size, "pixels per side [the longest side of the model's config.json]")
      ->type_name("N")
      ->check(CLI::Range(1, 65536).description(""))
      ->group(group);
  command.add_option("--steps", arguments.steps, "denoising updates [5; BAGEL: 49]")
      ->type_name("N")
      ->check(CLI::Range(1, 1000).description(""))
      ->group(group);
  command.add_option("--shift", arguments.shift, "shift of the flow times [2; BAGEL: 3]")
      ->type_name("X")
      ->check(CLI::Range(1e-3, 1e3).description(""))
      ->group(group);
  command.add_option("--guidance", arguments.guidance, "classifier-free guidance scale; 1: none")
      ->type_name("X")
      ->check(CLI::Range(1.0, 100.0).description(""))
      ->capture_default_str()
      ->group(group);
}

void add_compute_options(CLI::App& command, SampleArguments& arguments) {
  const std::string group = "Compute";
  command.add_option("--threads", arguments.threads, "CPU threads; 0: all cores")
      ->type_name("N")
      ->check(CLI::Range(0, 1024).description(""))
      ->capture_default_str()
      ->group(group);
  command
      .add_option("--batch", arguments.batch,
                  "images sampled together; changes memory and speed, not the images [128; BAGEL: 8]")
      ->type_name("N")
      ->check(CLI::Range(1, 1000000).description(""))
      ->group(group);
}

}  // namespace

void add_sample(CLI::App& app, int& status) {
  CLI::App* command = app.add_subcommand("sample", "think and paint with a model folder");
  auto arguments = std::make_shared<SampleArguments>();
  add_prompt_options(*command, *arguments);
  add_thinking_options(*command, *arguments);
  add_painting_options(*command, *arguments);
  add_compute_options(*command, *arguments);
  command->callback([=, &status] { status = sample(*arguments); });
}

}  // namespace diptych
