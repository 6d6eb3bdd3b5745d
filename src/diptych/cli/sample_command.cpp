#include "diptych/cli/sample_command.h"

#include <cstdio>
#include <filesystem>

#include "diptych/cli/sample_output.h"
#include "diptych/cli/sample_page.h"
#include "diptych/io/files.h"
#include "diptych/io/json_lines.h"
#include "diptych/train/session.h"

namespace diptych {

namespace {

constexpr size_t kMostOnPage = 256;  // conversations; browsers struggle with many more images in one page

int sample(const SampleArguments& arguments) {
  const SampleTask task = sample_task(arguments);
  const std::filesystem::path out = arguments.out;
  make_folder(out);
  std::filesystem::remove(out / "samples.jsonl");
  std::filesystem::remove(out / "conversation.html");
  const ModelFolder folder = load_model_folder(arguments.model, arguments.compute);
  const EpisodeOptions options = sample_options(arguments, task, folder.model.config);
  std::printf("%-12s%s\n", "episode", task_name(task).c_str());

  JsonLinesWriter lines(out / "samples.jsonl");
  std::vector<Image> grid;
  std::vector<std::string> sections;
  // A part of the prompts at a time, so that results appear as they are made. Parts change no draw.
  const auto part = static_cast<size_t>(std::max<int64_t>(1, options.chains_per_pack / arguments.count));
  for (size_t begin = 0; begin < task.prompts.size(); begin += part) {
    const size_t end = std::min(task.prompts.size(), begin + part);
    for (const SampledConversation& conversation : sample_conversations(
             folder, task, options, arguments.count, static_cast<uint64_t>(arguments.seed), begin, end)) {
      write_images(out, conversation);
      lines.write(sample_line(arguments, task, conversation));
      print_conversation(out, task, conversation);
      if (sections.size() < kMostOnPage)
        sections.push_back(conversation_section(page_conversation(arguments, task, options, conversation)));
      const Image* last = last_image(conversation);
      if (!arguments.grid.empty() && last != nullptr) grid.push_back(*last);
    }
  }
  const size_t sampled = task.prompts.size() * static_cast<size_t>(arguments.count);
  write_file_atomic(out / "conversation.html", sample_page(arguments, task, sections, sampled));
  std::printf("%-12s%s\n", "page", (out / "conversation.html").c_str());
  if (!grid.empty()) {
    write_grid(arguments.grid, grid, arguments.count);
    std::printf("%-12s%s\n", "grid", arguments.grid.c_str());
  }
  return 0;
}

}  // namespace

void add_sample(CLI::App& app, int& status) {
  CLI::App* command = app.add_subcommand("sample", "think, paint, edit, answer and refine with a model folder");
  auto arguments = std::make_shared<SampleArguments>();
  add_sample_options(*command, *arguments);
  command->callback([=, &status] { status = sample(*arguments); });
}

}  // namespace diptych
