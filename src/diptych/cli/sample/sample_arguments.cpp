#include "diptych/cli/sample/sample_arguments.h"

#include "diptych/base/error.h"
#include "diptych/cli/number_checks.h"
#include "diptych/rollout/episodes/episodes.h"

namespace diptych {

namespace {

CLI::Validator range(double low, double high) {
  return number_range(low, high);
}

CLI::Validator range(int64_t low, int64_t high) {
  return CLI::Range(low, high).description("");
}

/** What is wrong with the name of an episode; empty if nothing. */
std::string check_episode(const std::string& name) {
  try {
    episode_program(name);
    return "";
  } catch (const Error& error) {
    return error.what();
  }
}

void add_prompt_options(CLI::App& command, SampleArguments& arguments) {
  command.add_option("model", arguments.model, "model folder, such as assets/shapes_base")
      ->required()
      ->type_name("MODEL");
  command.add_option("--prompt", arguments.prompts, "what to paint, change or answer; may be given several times")
      ->type_name("TEXT")
      ->allow_extra_args(false);
  command.add_option("--prompts", arguments.prompt_file, "file of prompts instead, .txt or .jsonl (docs/data.md)")
      ->type_name("FILE");
  command
      .add_option("--image", arguments.images,
                  "PNG or JPEG file that goes with every prompt; may be given several times")
      ->type_name("FILE")
      ->allow_extra_args(false);
  command.add_option("--count", arguments.count, "samples per prompt")
      ->type_name("N")
      ->check(range(int64_t{1}, int64_t{100000}))
      ->capture_default_str();
  command.add_option("--seed", arguments.seed, "another number, other samples")
      ->type_name("N")
      ->check(seed_check())
      ->capture_default_str();
  command.add_option("--out", arguments.out, "folder for images, samples.jsonl and conversation.html")
      ->type_name("FOLDER")
      ->capture_default_str();
  command.add_option("--grid", arguments.grid, "one more PNG file with every sample's last image")->type_name("FILE");
}

void add_episode_options(CLI::App& command, SampleArguments& arguments) {
  const std::string group = "Episode";
  CLI::Option* episode = command
                             .add_option("--episode", arguments.episode,
                                         "t2i, think, edit, edit_think, understand, reflect, review or rounds:N "
                                         "[think; with --image: edit]")
                             ->type_name("NAME")
                             ->check(CLI::Validator(check_episode, ""))
                             ->group(group);
  command.add_flag("--no-think", arguments.no_think, "paint at once: short for --episode t2i, or edit with --image")
      ->excludes(episode)
      ->group(group);
  CLI::Option* refine =
      command
          .add_option("--refine", arguments.refine,
                      "what happens to a painted picture: always (told that it failed), self (the model reviews it), "
                      "oracle (told so where the shapes verifier finds it wrong), none")
          ->type_name("MODE")
          ->check(CLI::IsMember({"none", "always", "self", "oracle"}).description(""))
          ->capture_default_str()
          ->group(group);
  command.add_option("--refine-rounds", arguments.refine_rounds, "refinements in a row, at most")
      ->type_name("N")
      ->check(range(int64_t{1}, int64_t{64}))
      ->needs(refine)
      ->capture_default_str()
      ->group(group);
}

void add_text_options(CLI::App& command, SampleArguments& arguments) {
  const std::string group = "Texts";
  command
      .add_option("--system-prompt", arguments.system_prompt,
                  "in front of what is thought about: none, bagel, or the text itself [none; BAGEL: bagel]")
      ->type_name("TEXT")
      ->group(group);
  command
      .add_option("--reflection-prompt", arguments.reflection_prompt,
                  "says that the picture failed: shapes, bagel, or the text itself with {prompt} for the request "
                  "[shapes; BAGEL: bagel]")
      ->type_name("TEXT")
      ->group(group);
  command
      .add_option("--review-prompt", arguments.review_prompt,
                  "the same: asks to check the picture [shapes; BAGEL: bagel]")
      ->type_name("TEXT")
      ->group(group);
  command.add_option("--temperature", arguments.temperature, "0 takes the most probable token")
      ->type_name("X")
      ->check(range(0.0, 100.0))
      ->capture_default_str()
      ->group(group);
  command.add_option("--top-p", arguments.top_p, "only the most probable tokens that make up this share")
      ->type_name("X")
      ->check(range(0.0, 1.0))
      ->capture_default_str()
      ->group(group);
  command.add_option("--top-k", arguments.top_k, "only this many most probable tokens; 0: all")
      ->type_name("N")
      ->check(range(int64_t{0}, int64_t{1000000}))
      ->capture_default_str()
      ->group(group);
  command
      .add_option("--max-think-tokens", arguments.max_think_tokens,
                  "cap of a text [40, where images are looked at 128; BAGEL: 1024]")
      ->type_name("N")
      ->check(range(int64_t{1}, int64_t{1000000}))
      ->group("Compute");
}

void add_painting_options(CLI::App& command, SampleArguments& arguments) {
  const std::string group = "Painting";
  command
      .add_option("--size", arguments.size,
                  "pixels: N per side, or WIDTHxHEIGHT [the longest side of the model's config.json; with --image: its "
                  "size for the model]")
      ->type_name("SIZE")
      ->group(group);
  command.add_option("--steps", arguments.steps, "denoising updates [5; BAGEL: 49]")
      ->type_name("N")
      ->check(range(int64_t{1}, int64_t{1000}))
      ->group(group);
  command.add_option("--shift", arguments.shift, "shift of the flow times [2; BAGEL: 3]")
      ->type_name("X")
      ->check(range(1e-3, 1e3))
      ->group(group);
}

void add_guidance_options(CLI::App& command, SampleArguments& arguments) {
  const std::string group = "Guidance";
  command
      .add_option("--guidance", arguments.guidance,
                  "scale of classifier-free guidance against the context without the request; 1: none")
      ->type_name("X")
      ->check(range(1.0, 100.0))
      ->capture_default_str()
      ->group(group);
  command
      .add_option("--image-guidance", arguments.image_guidance,
                  "the same against the context without images, where there are some; needs --guidance above 1")
      ->type_name("X")
      ->check(range(1.0, 100.0))
      ->capture_default_str()
      ->group(group);
  command
      .add_option("--guidance-interval", arguments.guidance_interval,
                  "guidance acts at flow times LOW < t <= HIGH [0 1]")
      ->type_name("LOW HIGH")
      ->expected(2)
      ->check(range(0.0, 1.0))
      ->group(group);
  command
      .add_option("--guidance-renorm", arguments.guidance_renorm,
                  "what the guided velocity's norm is scaled back over: global (an image), channel (a token), "
                  "text_channel (a token, after text guidance only)")
      ->type_name("NAME")
      ->check(CLI::IsMember({"global", "channel", "text_channel"}).description(""))
      ->capture_default_str()
      ->group(group);
  command.add_option("--guidance-renorm-min", arguments.guidance_renorm_min, "smallest factor of that; 1: none")
      ->type_name("X")
      ->check(range(0.0, 1.0))
      ->capture_default_str()
      ->group(group);
}

void add_batch(CLI::App& command, SampleArguments& arguments) {
  command
      .add_option("--batch", arguments.batch,
                  "samples made together; changes memory and speed, not the samples [128; BAGEL: 8]")
      ->type_name("N")
      ->check(range(int64_t{1}, int64_t{1000000}))
      ->group("Compute");
}

}  // namespace

void add_sample_options(CLI::App& command, SampleArguments& arguments) {
  add_prompt_options(command, arguments);
  add_episode_options(command, arguments);
  add_text_options(command, arguments);
  add_painting_options(command, arguments);
  add_guidance_options(command, arguments);
  add_compute_options(command, arguments.compute);
  add_batch(command, arguments);
}

}  // namespace diptych
