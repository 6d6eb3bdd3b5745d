#include "diptych/tensor/torch.h"

#include "diptych/train/run/metrics.h"

#include <nlohmann/json.hpp>

namespace diptych {

namespace fs = std::filesystem;

namespace {

/** The file of the rows, cut back so that it ends with the resume step. */
fs::path cut_back(const fs::path& run_folder, int64_t resume_step) {
  const fs::path path = run_folder / "metrics.jsonl";
  keep_lines_up_to_step(path, resume_step);
  return path;
}

int64_t last_step_of(const fs::path& path) {
  int64_t last = -1;
  read_json_lines(path, [&](int64_t, const nlohmann::json& row) { last = row.value("step", last); });
  return last;
}

}  // namespace

Metrics::Metrics(const fs::path& run_folder, int64_t resume_step)
    : rows_(cut_back(run_folder, resume_step)),
      last_step_(last_step_of(run_folder / "metrics.jsonl")),
      tensorboard_(run_folder / "tensorboard", last_step_ + 1) {}

void Metrics::write(int64_t step, const MetricRow& row) {
  TORCH_CHECK(step > last_step_, "metrics of step ", step, " after those of step ", last_step_);
  TORCH_CHECK(!row.contains("step"), "'step' is not a metric");
  nlohmann::json line = row;
  line["step"] = step;
  rows_.write(line);
  for (const auto& [name, value] : row) tensorboard_.scalar(name, step, value);
  tensorboard_.flush();
  last_step_ = step;
}

}  // namespace diptych
