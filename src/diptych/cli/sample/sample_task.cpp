#include "diptych/cli/sample/sample_task.h"

#include <algorithm>
#include <filesystem>

#include "diptych/base/ascii.h"
#include "diptych/base/error.h"
#include "diptych/base/log.h"
#include "diptych/base/text_format.h"
#include "diptych/data/prompt_file.h"
#include "diptych/eval/refinement.h"
#include "diptych/io/image/resize.h"
#include "diptych/rollout/episodes/episodes.h"
#include "diptych/shapes/prompts/prompts.h"
#include "diptych/text/unicode.h"
#include "diptych/train/recipe/rollout_config.h"

namespace diptych {

namespace {

constexpr size_t kMostPromptTokens = 32768;
constexpr size_t kSlowPromptTokens = 4096;

/** What an option that is not given means. */
struct SampleDefaults {
  const char* system_prompt;
  const char* picture_prompts;  // of reflections and reviews
  int64_t think_tokens;
  int64_t look_tokens;  // where images are looked at: the texts say what they show
  int64_t steps;
  double shift;
  int64_t batch;
};

// 49 updates are the 50 grid points of BAGEL's own inference.
constexpr SampleDefaults kBagelDefaults = {.system_prompt = "bagel",
                                           .picture_prompts = "bagel",
                                           .think_tokens = 1024,
                                           .look_tokens = 1024,
                                           .steps = 49,
                                           .shift = 3,
                                           .batch = 8};
constexpr SampleDefaults kSmallDefaults = {.system_prompt = "none",
                                           .picture_prompts = "shapes",
                                           .think_tokens = 40,
                                           .look_tokens = 128,
                                           .steps = 5,
                                           .shift = 2,
                                           .batch = 128};

[[noreturn]] void wrong_usage(const std::string& where, const std::string& expected, const std::string& got,
                              const std::string& hint = "") {
  throw Error(ExitCode::usage, {where, expected, got, hint});
}

// As files of prompts are checked.
void check_prompt(const std::string& prompt) {
  if (trimmed(prompt).empty())
    wrong_usage("--prompt", "a text", prompt.empty() ? "an empty one" : "nothing but blanks");
  if (repair_utf8(prompt) != prompt)
    wrong_usage("--prompt", "text in UTF-8", "other bytes", "does the terminal or script use another encoding?");
}

std::vector<std::string> requested_prompts(const SampleArguments& arguments) {
  if (arguments.prompts.empty() == arguments.prompt_file.empty())
    wrong_usage("diptych sample", "either --prompt TEXT or --prompts FILE",
                arguments.prompts.empty() ? "neither" : "both");
  for (const std::string& prompt : arguments.prompts) check_prompt(prompt);
  if (arguments.prompt_file.empty()) return arguments.prompts;
  std::vector<std::string> prompts;
  for (PromptRecord& record : read_prompts(arguments.prompt_file)) prompts.push_back(std::move(record.text));
  return prompts;
}

EpisodeProgram requested_program(const SampleArguments& arguments) {
  if (!arguments.episode.empty()) return episode_program(arguments.episode);
  if (!arguments.images.empty()) return episode_program("edit");
  return episode_program(arguments.no_think ? "t2i" : "think");
}

bool looks(const StageProgram& stage) {
  return std::find(stage.given.begin(), stage.given.end(), GivenPart::images) != stage.given.end();
}

void check_together(const SampleArguments& arguments, const SampleTask& task) {
  const std::string episode = "episode " + task.program.name;
  const bool paints_from_text = task.program.name == "t2i" || task.program.name == "think";
  if (task.refine != "none" && !paints_from_text)
    wrong_usage("--refine", "an episode that paints from a prompt alone: t2i or think", episode,
                "reflect, review and rounds:N refine by themselves");
  if (needs_images(task.program) && arguments.images.empty())
    wrong_usage(episode, "--image FILE, an image to look at", "none");
  if (!needs_images(task.program) && !arguments.images.empty())
    wrong_usage("--image", "an episode that looks at given images: edit, edit_think, understand, reflect or review",
                episode);
  if (arguments.image_guidance > 1 && !(arguments.guidance > 1))
    wrong_usage("--image-guidance", "--guidance above 1 with it", cat("--guidance ", arguments.guidance),
                "image guidance acts only together with text guidance");
  if (arguments.image_guidance > 1 && !looks_at_images(task))
    wrong_usage("--image-guidance", "an episode that paints with images in view", episode);
  if (arguments.guidance_interval[0] > arguments.guidance_interval[1])
    wrong_usage("--guidance-interval", "LOW up to HIGH", join(arguments.guidance_interval, " "));
  if (!arguments.grid.empty() && ascii_lower(std::filesystem::path(arguments.grid).extension().string()) != ".png")
    wrong_usage("--grid", "a file name that ends in .png, the only form it is written in", arguments.grid);
  const StageProgram& first = task.program.stages.front();
  if (!arguments.grid.empty() && (!first.paint || first.may_stop))
    wrong_usage("--grid", "an episode that paints every sample", episode);
}

void find_requests(std::vector<TaskPrompt>& prompts) {
  for (TaskPrompt& prompt : prompts) {
    const std::optional<shapes::Request> request = shapes::find_request(prompt.text);
    if (!request)
      wrong_usage("--refine oracle", "prompts or captions of the shapes world, which the exact verifier can check",
                  "'" + prompt.text + "'", "--refine self and --refine always take any prompt");
    prompt.truth = *request;
  }
}

std::optional<PixelSize> requested_size(const SampleArguments& arguments) {
  const std::string& text = arguments.size;
  if (text.empty()) return std::nullopt;
  const bool is_side = std::all_of(text.begin(), text.end(), is_ascii_digit);
  const std::optional<PixelSize> size = parse_pixel_size(is_side ? cat(text, 'x', text) : text);
  if (!size) wrong_usage("--size", "pixels as N or WIDTHxHEIGHT, such as 512 or 512x384", "'" + text + "'");
  return size;
}

void check_side(int64_t pixels, const ModelConfig& model) {
  const int64_t unit = latent_token_pixels(model);
  if (pixels <= 0 || pixels % unit != 0 || pixels > unit * model.max_latent_size)
    wrong_usage("--size", cat("a multiple of ", unit, " up to ", unit * model.max_latent_size, " for each side"),
                cat(pixels));
}

PixelSize painted_size(const SampleTask& task, const ModelConfig& model) {
  const ImageTransformConfig& transform = model.vae_transform;
  if (!task.size && !task.images.empty()) {
    const Image& first = task.images.front();
    const auto [width, height] =
        resized_size(first.width, first.height, {transform.max_long, transform.min_short, transform.stride});
    return {width, height};
  }
  const PixelSize size = task.size.value_or(PixelSize{transform.max_long, transform.max_long});
  // roll_out checks this too, but only after the thinking, which takes minutes in a large model.
  for (const int64_t side : {size.width, size.height}) check_side(side, model);
  return size;
}

}  // namespace

SampleTask sample_task(const SampleArguments& arguments) {
  SampleTask task;
  task.program = requested_program(arguments);
  task.refine = arguments.refine;
  task.refine_rounds = task.refine == "none" ? 0 : arguments.refine_rounds;
  check_together(arguments, task);
  task.size = requested_size(arguments);
  for (const std::string& file : arguments.images) task.images.push_back(read_image(file));
  for (std::string& text : requested_prompts(arguments)) {
    task.prompts.emplace_back();
    task.prompts.back().text = std::move(text);
  }
  if (task.refine == "oracle") find_requests(task.prompts);
  return task;
}

bool looks_at_images(const SampleTask& task) {
  return task.refine != "none" || std::any_of(task.program.stages.begin(), task.program.stages.end(), looks);
}

void check_prompt_lengths(const SampleTask& task, const Tokenizer& tokenizer) {
  for (size_t i = 0; i < task.prompts.size(); ++i) {
    const std::string& text = task.prompts[i].text;
    if (text.size() < kSlowPromptTokens) continue;  // a token has at least one byte
    const size_t tokens = tokenizer.encode(text).size();
    if (tokens > kMostPromptTokens)
      throw Error(ExitCode::data, {cat("prompt ", i, ", '", repair_utf8(text.substr(0, 20)), "...'"),
                                   cat("at most ", kMostPromptTokens, " tokens"), cat(tokens), "shorten it"});
    if (tokens >= kSlowPromptTokens)
      log_info(
          cat("prompt ", i, " has ", tokens, " tokens and takes a while: time grows with the square of the length"));
  }
}

std::string task_name(const SampleTask& task) {
  if (task.refine == "none") return task.program.name;
  return cat(task.program.name, ", then ", task.refine_rounds, task.refine_rounds == 1 ? " round" : " rounds",
             " of refinement in mode ", task.refine);
}

EpisodeOptions sample_options(const SampleArguments& arguments, const SampleTask& task, const ModelConfig& model) {
  const SampleDefaults& defaults =
      model.max_latent_size >= ModelConfig().max_latent_size ? kBagelDefaults : kSmallDefaults;
  RolloutConfig config;
  config.system_prompt = arguments.system_prompt.value_or(defaults.system_prompt);
  config.reflection_prompt = arguments.reflection_prompt.value_or(defaults.picture_prompts);
  config.review_prompt = arguments.review_prompt.value_or(defaults.picture_prompts);
  config.max_think_tokens =
      arguments.max_think_tokens.value_or(looks_at_images(task) ? defaults.look_tokens : defaults.think_tokens);
  config.temperature = arguments.temperature;
  config.top_p = arguments.top_p;
  config.top_k = arguments.top_k;
  config.updates = arguments.steps.value_or(defaults.steps);
  config.timestep_shift = arguments.shift.value_or(defaults.shift);
  config.window_range = {0, config.updates};
  config.window_size = 0;
  config.guidance = {.text_scale = arguments.guidance,
                     .image_scale = 1,
                     .interval = arguments.guidance_interval,
                     .renorm = arguments.guidance_renorm,
                     .renorm_min = arguments.guidance_renorm_min};
  config.edit_guidance = config.guidance;
  config.edit_guidance.image_scale = arguments.image_guidance;
  config.chains_per_pack = arguments.batch.value_or(defaults.batch);
  EpisodeOptions options = episode_options(config, 0);
  options.program = task.program;
  const PixelSize size = painted_size(task, model);
  options.image_width = size.width;
  options.image_height = size.height;
  const int canvas = shapes::World().canvas;
  if (task.refine == "oracle" && (size.width != canvas || size.height != canvas))
    wrong_usage("--refine oracle", cat("pictures of ", canvas, " x ", canvas, " pixels, which the verifier can check"),
                cat(size.width, " x ", size.height));
  return options;
}

}  // namespace diptych
