#include "diptych/train/evaluate/evaluation_run.h"

#include <algorithm>

#include "diptych/base/error.h"
#include "diptych/base/text_format.h"
#include "diptych/eval/benchmarks/benchmarks.h"
#include "diptych/io/files.h"
#include "diptych/tensor/device.h"
#include "diptych/train/check/check_recipe.h"
#include "diptych/train/evaluate/evaluation_record.h"
#include "diptych/train/rollout/command_context.h"
#include "diptych/train/run/threads.h"

namespace diptych {

namespace {

std::vector<Benchmark> benchmarks_of(const EvaluationConfig& config) {
  std::vector<Benchmark> asked = asked_benchmarks(config);
  if (!asked.empty()) return asked;
  std::vector<std::string> keys;
  for (const Benchmark& benchmark : benchmarks()) keys.push_back(benchmark.key);
  throw Error(ExitCode::config,
              {"eval", join(keys, " or ") + " above 0", keys.size() == 2 ? "both 0" : "all of them 0", ""});
}

/** The recipe's, if a benchmark asks for it; it is tried on the first prompt that it will score. */
RewardFunction reward_of(const EvaluationRecipe& recipe, const std::vector<Benchmark>& asked,
                         const EpisodeOptions& options) {
  const auto rewarded = std::ranges::find(asked, true, &Benchmark::rewarded);
  if (rewarded == asked.end()) return {};
  const auto first = [prompts = rewarded->prompts, config = recipe.eval] { return prompts(config).front(); };
  return make_reward(recipe.reward, {}, command_context(first, options, single_process()));
}

}  // namespace

std::vector<BenchmarkResult> run_evaluation(const EvaluationRecipe& recipe) {
  const std::vector<Benchmark> asked = benchmarks_of(recipe.eval);
  check_evaluation(recipe.eval, recipe.rollout, recipe.reward);
  use_threads(recipe.threads);
  const EpisodeOptions options = episode_options(recipe.rollout, recipe.eval.updates);
  const RewardFunction reward = reward_of(recipe, asked, options);
  const ModelFolder folder =
      load_model_folder(recipe.model, compute_dtype(recipe.dtype), open_device(recipe.device, 0, "device"));
  const bool writes = !recipe.out.empty();
  if (writes) {
    make_folder(recipe.out);
    write_file_atomic(recipe.out + "/recipe.toml", print_config(recipe));
  }
  const EvaluationInput input{
      .painter = {folder.model, folder.tokenizer, options}, .config = recipe.eval, .reward = reward};
  nlohmann::json report{{"model", recipe.model}, {"seed", recipe.eval.seed}};
  std::vector<BenchmarkResult> results;
  for (const Benchmark& benchmark : asked) {
    results.push_back(evaluate(benchmark, input));
    report.update(results.back().report);
    if (writes) write_samples(recipe.out, benchmark.name, results.back().samples);
  }
  if (writes) write_file_atomic(recipe.out + "/result.json", report.dump(2) + "\n");
  return results;
}

}  // namespace diptych
