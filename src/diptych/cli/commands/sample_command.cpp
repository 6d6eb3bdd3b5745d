#include <algorithm>
#include <cstdio>
#include <filesystem>

#include "diptych/cli/commands/command.h"
#include "diptych/cli/sample/sample_output.h"
#include "diptych/cli/sample/sample_page.h"
#include "diptych/io/files.h"
#include "diptych/io/json_lines.h"
#include "diptych/train/run/session.h"

namespace diptych {

namespace {

constexpr size_t kMostOnPage = 256;  // conversations; browsers struggle with many more images in one page

/** What is left of the conversations once their files are written. */
struct SampleResults {
  std::vector<Image> grid;
  std::vector<std::string> sections;  // of the page
};

/** Makes and writes a batch at a time: of some prompts all samples, or of one prompt some. */
SampleResults write_samples(const SampleArguments& arguments, const ModelFolder& folder, const SampleTask& task,
                            const EpisodeOptions& options) {
  const std::filesystem::path out = arguments.out;
  JsonLinesWriter lines(out / "samples.jsonl");
  SampleResults results;
  const auto write = [&](const SampledConversation& conversation) {
    write_images(out, conversation);
    lines.write(sample_line(arguments, task, conversation));
    print_conversation(out, task, conversation);
    if (results.sections.size() < kMostOnPage)
      results.sections.push_back(conversation_section(page_conversation(arguments, task, options, conversation)));
    const Image* last = last_image(conversation);
    if (!arguments.grid.empty() && last != nullptr) results.grid.push_back(*last);
  };
  const int64_t samples = std::min(arguments.count, options.chains_per_pack);
  const auto prompts = static_cast<size_t>(options.chains_per_pack / samples);
  for (size_t prompt = 0; prompt < task.prompts.size(); prompt += prompts) {
    for (int64_t sample = 0; sample < arguments.count; sample += samples) {
      const SampleRange range{prompt, std::min(task.prompts.size(), prompt + prompts), sample,
                              std::min(arguments.count, sample + samples)};
      for (const SampledConversation& conversation :
           sample_conversations(folder, task, options, static_cast<uint64_t>(arguments.seed), range))
        write(conversation);
    }
  }
  return results;
}

int sample(const SampleArguments& arguments) {
  const SampleTask task = sample_task(arguments);
  const std::filesystem::path out = arguments.out;
  make_folder(out);
  const ModelFolder folder = load_model_folder(arguments.model, arguments.compute);
  const EpisodeOptions options = sample_options(arguments, task, folder.model.config);
  check_prompt_lengths(task, folder.tokenizer);
  // Not before all is known to be right: a mistake should not cost the lists of an earlier call.
  std::filesystem::remove(out / "samples.jsonl");
  std::filesystem::remove(out / "conversation.html");
  std::printf("%-12s%s\n", "episode", task_name(task).c_str());
  const SampleResults results = write_samples(arguments, folder, task, options);
  const size_t sampled = task.prompts.size() * static_cast<size_t>(arguments.count);
  write_file_atomic(out / "conversation.html", sample_page(arguments, task, results.sections, sampled));
  std::printf("%-12s%s\n", "page", (out / "conversation.html").c_str());
  if (!results.grid.empty()) {
    write_grid(arguments.grid, results.grid, arguments.count);
    std::printf("%-12s%s\n", "grid", arguments.grid.c_str());
  }
  return 0;
}

/** `diptych sample MODEL --prompt TEXT`: thoughts and images of a model folder, sampled as in training. */
void add_sample(CLI::App& app, int& status) {
  CLI::App* command = app.add_subcommand("sample", "think, paint, edit, answer and refine with a model folder");
  auto arguments = std::make_shared<SampleArguments>();
  add_sample_options(*command, *arguments);
  command->callback([=, &status] { status = sample(*arguments); });
}

}  // namespace

std::vector<Command> sample_command() {
  return {{.order = 20, .add = add_sample}};
}

}  // namespace diptych
