#include <algorithm>
#include <cstdio>
#include <optional>

#include "diptych/base/error.h"
#include "diptych/base/text_format.h"
#include "diptych/cli/command_group.h"
#include "diptych/cli/commands/command.h"
#include "diptych/cli/number_checks.h"
#include "diptych/shapes/prompts/prompts.h"
#include "diptych/shapes/prompts/thinking.h"
#include "diptych/shapes/verify/verify.h"
#include "diptych/shapes/world/caption.h"
#include "diptych/shapes/world/render.h"
#include "diptych/shapes/world/sample_scene.h"

namespace diptych {

using shapes::Prompt;
using shapes::Split;

namespace {

constexpr int kScenesPerFamily = 6;
constexpr int kGap = 8;  // pixels of the contact sheet

struct ShowArguments {
  std::string out = "shapes.png";
  std::string split = "train";
  uint64_t seed = 0;
  int scale = 4;
};

struct NamedSplit {
  std::string_view name;
  Split split;
};
constexpr NamedSplit kSplits[] = {{"train", Split::train}, {"validation", Split::validation}, {"test", Split::test}};

Split split_of(const std::string& name) {
  for (const NamedSplit& known : kSplits)
    if (known.name == name) return known.split;
  throw Error(ExitCode::usage, {"--split", "train, validation or test", cat("'", name, "'"), ""});
}

void print_example(size_t row, const Prompt& prompt) {
  const shapes::Trace trace = shapes::possible_traces(prompt).front();
  std::printf("row %zu  %s\n  prompt    %s\n  thinking  %s\n  refined   %s\n", row, prompt.family.c_str(),
              prompt.text.c_str(), trace.text.c_str(), trace.refined.c_str());
}

void print_detections(const std::vector<shapes::Detection>& detections) {
  std::printf("detections: %zu\n", detections.size());
  for (const shapes::Detection& detection : detections)
    std::printf("  %-8s  %-6s  confidence %.2f  centre (%.1f, %.1f)\n", std::string(to_string(detection.shape)).c_str(),
                std::string(to_string(detection.colour)).c_str(), detection.confidence, detection.x, detection.y);
}

void print_verdict(const shapes::Request& request, const shapes::Verdict& verdict) {
  std::printf("request: %s\n", shapes::caption(request).c_str());
  print_detections(verdict.detections);
  std::printf("questions:\n");
  const std::vector<shapes::Question> questions = shapes::atomic_questions(request);
  for (size_t index = 0; index < questions.size(); ++index)
    std::printf("  %-3s %.2f  %s\n", questions[index].id.c_str(), verdict.answers[index].probability,
                questions[index].text.c_str());
  for (const std::string& reason : verdict.reasons) std::printf("fault: %s\n", reason.c_str());
  std::printf("soft score: %.3f\n", verdict.soft);
  std::printf("verdict: %s\n", verdict.correct ? "correct" : "wrong");
}

int show(const ShowArguments& arguments) {
  const Split split = split_of(arguments.split);
  const shapes::World world;
  const std::vector<std::string>& families = shapes::all_families();
  std::vector<Image> scenes;
  for (size_t row = 0; row < families.size(); ++row) {
    for (int column = 0; column < kScenesPerFamily; ++column) {
      Stream stream(
          {.seed = arguments.seed, .purpose = Purpose::scene, .prompt = row, .sample = static_cast<uint64_t>(column)});
      const Prompt& prompt = shapes::sample_prompt(stream, split, {families[row]});
      if (column == 0) print_example(row + 1, prompt);
      scenes.push_back(shapes::render(shapes::sample_scene(prompt.request, world, stream), world));
    }
  }
  write_png(arguments.out, image_grid(scenes, kScenesPerFamily, kGap, arguments.scale));
  std::printf("wrote %s\n", arguments.out.c_str());
  return 0;
}

int verify(const std::filesystem::path& image, const std::string& prompt) {
  const std::optional<shapes::Request> request = shapes::find_request(prompt);
  if (!request)
    throw Error(ExitCode::data, {"the prompt", "a prompt or caption of the shapes world", cat("'", prompt, "'"),
                                 "such as \"a red circle left of a square\"; `diptych shapes show` prints more"});
  const shapes::World world;
  const Image picture = read_image(image);
  if (picture.width != world.canvas || picture.height != world.canvas)
    throw Error(ExitCode::data, {image.string(), cat(world.canvas, " x ", world.canvas, " pixels, one scene"),
                                 cat(picture.width, " x ", picture.height),
                                 "the verifier judges single scenes at their own size, no contact sheets"});
  const shapes::Verdict verdict = shapes::verify(picture, *request, world);
  print_verdict(*request, verdict);
  return static_cast<int>(verdict.correct ? ExitCode::ok : ExitCode::mismatch);
}

void add_show(CLI::App& shapes, int& status) {
  CLI::App* command = shapes.add_subcommand("show", "write a contact sheet of scenes, and print prompts and thoughts");
  auto arguments = std::make_shared<ShowArguments>();
  command->add_option("--out", arguments->out, "PNG file to write")->type_name("FILE")->capture_default_str();
  command->add_option("--split", arguments->split, "prompts: train, validation or test")
      ->type_name("NAME")
      ->capture_default_str();
  command->add_option("--seed", arguments->seed, "another number, other scenes")
      ->type_name("N")
      ->check(seed_check())
      ->capture_default_str();
  command->add_option("--scale", arguments->scale, "side of the square that shows one pixel, 1 to 32")
      ->type_name("N")
      ->check(CLI::Range(1, 32).description(""))
      ->capture_default_str();
  command->callback([=, &status] { status = show(*arguments); });
}

void add_picture_verdict(CLI::App& shapes, int& status) {
  CLI::App* command = shapes.add_subcommand("verify", "judge one picture: is it what the prompt asks for?");
  auto image = std::make_shared<std::string>();
  auto prompt = std::make_shared<std::string>();
  command->add_option("image", *image, "PNG or JPEG file of one scene")->required()->type_name("IMAGE");
  command->add_option("--prompt", *prompt, "such as \"a photo of three red circles\"")->required()->type_name("TEXT");
  command->callback([=, &status] { status = verify(*image, *prompt); });
}

/** `diptych shapes show` writes a contact sheet with one row of scenes per family of prompts, and prints the prompt,
 * the thinking and the refined caption of the first scene of each row. `diptych shapes verify IMAGE --prompt TEXT`
 * prints what the verifier sees and its verdict; the status is ExitCode::mismatch if the picture is not what the prompt
 * asks for. The prompt is one of the world's prompts or a caption ("a photo of" may precede it). */
void add_shapes(CLI::App& app, int& status) {
  CLI::App* shapes = app.add_subcommand("shapes", "look at the shapes world: its scenes, its prompts, its verifier");
  require_command(*shapes, status);
  add_show(*shapes, status);
  add_picture_verdict(*shapes, status);
}

}  // namespace

std::vector<Command> shapes_command() {
  return {{.order = 30, .add = add_shapes}};
}

}  // namespace diptych
