#include "diptych/eval/benchmark.h"

namespace diptych {

namespace {

void paint(const Painter& painter, const EvaluationConfig& config, std::vector<EvaluatedSample>& samples) {
  std::vector<EpisodePrompt> episodes;
  for (const EvaluatedSample& sample : samples)
    episodes.push_back({sample.prompt.text, sample.place, sample.prompt.sources});
  const Rollout rollout = roll_out(
      painter.model, painter.tokenizer,
      {.prompts = std::move(episodes), .options = painter.options, .seed = static_cast<uint64_t>(config.seed)});
  for (size_t i = 0; i < samples.size(); ++i) {
    const Stage& stage = rollout.stages[i];
    samples[i].candidate = stage.candidate;
    if (stage.text) samples[i].think_tokens = static_cast<int64_t>(stage.text->tokens.size());
  }
}

}  // namespace

EvaluationCost& EvaluationCost::operator+=(const EvaluationCost& other) {
  pictures += other.pictures;
  judge_requests += other.judge_requests;
  program_requests += other.program_requests;
  return *this;
}

BenchmarkResult evaluate(const Benchmark& benchmark, const EvaluationInput& input) {
  EpisodeOptions euler = benchmark.episode(input.painter.options, input.config);
  euler.schedule.window_size = 0;
  const Painter painter{input.painter.model, input.painter.tokenizer, euler};
  const std::vector<TaskPrompt> prompts = benchmark.prompts(input.config);
  std::vector<EvaluatedSample> own = input.share.deal(prompts);
  input.share.work([&] {
    paint(painter, input.config, own);
    if (benchmark.verdicts != nullptr) {
      judge_pictures(benchmark.verdicts, own);
      if (input.config.refine != "none") refine_samples(painter, input.config, benchmark.verdicts, own);
    }
    if (benchmark.score != nullptr) benchmark.score(input, own);
  });
  return benchmark.numbers(input, input.share.collect(prompts, std::move(own)));
}

std::string table_row(const std::string& name, double value) {
  char line[256];
  std::snprintf(line, sizeof line, "  %-28s %7.3f\n", name.c_str(), value);
  return line;
}

}  // namespace diptych
