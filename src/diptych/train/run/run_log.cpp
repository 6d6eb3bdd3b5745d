#include "diptych/train/run/run_log.h"

#include <algorithm>

#include "diptych/base/log.h"
#include "diptych/base/text_format.h"

namespace diptych {

namespace {

constexpr int64_t kFloatBytes = 4;
constexpr int64_t kMoments = 2;

int64_t weight_count(const ParameterGroup& group) {
  int64_t count = 0;
  for (const NamedTensor& parameter : group.parameters) count += parameter.tensor.numel();
  return count;
}

/** In quotes where a shell would read it otherwise. */
std::string shell_word(const std::string& text) {
  if (!text.empty() && text.find_first_of(" \t\n'\"\\$`!*?[](){}<>|&;#~") == text.npos) return text;
  std::string quoted = "'";
  for (const char c : text) quoted += c == '\'' ? "'\\''" : std::string(1, c);
  return quoted + "'";
}

std::string millions(int64_t count) {
  return cat(fixed(static_cast<double>(count) * 1e-6, count < 10'000'000 ? 3 : 0), " million");
}

std::string gigabytes(int64_t bytes) {
  return cat(fixed(static_cast<double>(bytes) * 1e-9, 2), " GB");
}

}  // namespace

std::string report_command_line(const std::string& run_folder) {
  return cat("diptych report ", shell_word(run_folder));
}

int64_t folder_bytes(Bagel& model) {
  int64_t bytes = 0;
  for (const auto& slots : {transformer_slots(model), autoencoder_slots(model)})
    for (const ParameterSlot& slot : slots) bytes += static_cast<int64_t>(slot.tensor->nbytes());
  return bytes;
}

std::vector<std::string> run_start_lines(const RunStart& start) {
  std::vector<std::string> groups;
  for (const ParameterGroup& group : start.groups)
    groups.push_back(cat(group.name, " ", millions(weight_count(group)), " weights at ", group.learning_rate));
  std::string steps = cat(start.steps, start.steps == 1 ? " step" : " steps");
  if (start.first_step > 0) steps += cat(", ", start.first_step, " of them done");
  const std::string& folder = start.run.dir;
  return {cat("model ", start.model, "; what trains: ", join(groups, ", ")),
          cat("run folder ", folder, "; ", steps, "; seed ", start.run.seed),
          cat("curves: ", folder, "/metrics.jsonl, `tensorboard --logdir ", shell_word(folder + "/tensorboard"), "`, `",
              report_command_line(folder), "` at any time")};
}

int64_t disk_need(const RunStart& start) {
  int64_t weights = 0;
  for (const ParameterGroup& group : start.groups) weights += weight_count(group);
  int64_t at_once = 1;
  if (start.run.checkpoint_every > 0)
    at_once = std::min(start.run.keep_checkpoints + 1, start.steps / start.run.checkpoint_every + 1);
  const auto there = static_cast<int64_t>(list_checkpoints(start.run.dir).size());
  return std::max<int64_t>(at_once - there, 0) * weights * kFloatBytes * (1 + kMoments + start.averages) +
         start.model_bytes;
}

void log_run_start(const RunStart& start) {
  for (const std::string& line : run_start_lines(start)) log_info(line);
  std::error_code unknown;
  const std::filesystem::space_info space = std::filesystem::space(start.run.dir, unknown);
  const int64_t need = disk_need(start);
  if (!unknown && space.available < static_cast<uint64_t>(need))
    log_warning(cat("the checkpoints of this run and its model need up to ", gigabytes(need), ", and the disk of ",
                    start.run.dir, " has ", gigabytes(static_cast<int64_t>(space.available)),
                    ": where it is full, the run ends with exit code 6"));
}

}  // namespace diptych
