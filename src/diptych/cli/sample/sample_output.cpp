#include "diptych/cli/sample/sample_output.h"

#include <algorithm>
#include <cstdio>

#include "diptych/base/text_format.h"
#include "diptych/io/files.h"
#include "diptych/rollout/stage_end_name.h"

namespace diptych {

namespace {

constexpr int kGridColumns = 8;      // where each prompt has one image
constexpr int64_t kGridPixels = 96;  // smaller images are enlarged to a longer side of at least this
constexpr int kGridGap = 4;

void print_line(const std::string& name, const std::string& text) {
  std::printf("%-12s%s\n", name.c_str(), text.c_str());
}

}  // namespace

std::string image_name(const SampledConversation& conversation, size_t round) {
  char name[64];
  std::snprintf(name, sizeof name, "%04zu_%lld", conversation.prompt, static_cast<long long>(conversation.sample));
  return round == 0 ? cat(name, ".png") : cat(name, "_round", round, ".png");
}

void write_images(const std::filesystem::path& folder, const SampledConversation& conversation) {
  for (size_t r = 0; r < conversation.rounds.size(); ++r)
    if (conversation.rounds[r].image) write_png(folder / image_name(conversation, r), *conversation.rounds[r].image);
}

nlohmann::json sample_line(const SampleArguments& arguments, const SampleTask& task,
                           const SampledConversation& conversation) {
  nlohmann::json line{{"prompt", task.prompts[conversation.prompt].text},
                      {"sources", arguments.images},
                      {"seed", arguments.seed},
                      {"sample", conversation.sample},
                      {"episode", task.program.name},
                      {"refine", task.refine},
                      {"end", conversation.end}};
  for (size_t r = 0; r < conversation.rounds.size(); ++r) {
    const SampledRound& round = conversation.rounds[r];
    nlohmann::json entry{{"end", stage_end_name(round.end)}};
    if (!round.kind.empty()) {
      entry[round.kind] = round.text;
      entry["truncated"] = round.truncated;
    }
    if (round.image) {
      entry["image"] = image_name(conversation, r);
      line["path"] = entry["image"];
    }
    line["rounds"].push_back(std::move(entry));
  }
  return line;
}

void print_conversation(const std::filesystem::path& folder, const SampleTask& task,
                        const SampledConversation& conversation) {
  if (conversation.sample == 0) print_line("prompt", task.prompts[conversation.prompt].text);
  for (size_t r = 0; r < conversation.rounds.size(); ++r) {
    const SampledRound& round = conversation.rounds[r];
    if (!round.kind.empty())
      print_line(round.kind, round.text + (round.truncated ? " [cut at --max-think-tokens]" : ""));
    if (round.image) print_line("image", (folder / image_name(conversation, r)).string());
  }
  if (conversation.end != "painted" && conversation.end != "answered")
    print_line("end", end_words(task, conversation.end));
  std::fflush(stdout);
}

std::string end_words(const SampleTask& task, const std::string& end) {
  const size_t rounds = task.program.stages.size() - 1 + static_cast<size_t>(task.refine_rounds);
  if (end == "stopped") return "stopped: the model says that nothing is left to repair";
  if (end == "unreadable") return "unreadable: the last review is neither a repair nor a stop";
  if (end == "cap") return cat("cap: no stop in ", rounds, rounds == 1 ? " round" : " rounds");
  if (end == "right") return "right: the verifier finds the last picture right";
  return end == "wrong" ? "wrong: the verifier finds the last picture wrong" : end;
}

void write_grid(const std::filesystem::path& file, const std::vector<Image>& images, int64_t count) {
  if (file.has_parent_path()) make_folder(file.parent_path());
  const int64_t side = std::max(images.front().width, images.front().height);
  const auto scale = static_cast<int>((kGridPixels + side - 1) / side);
  write_png(file, image_grid(images, count > 1 ? static_cast<int>(count) : kGridColumns, kGridGap, scale));
}

}  // namespace diptych
