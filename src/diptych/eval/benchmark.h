#pragma once
// What a model is evaluated by: training and `diptych eval` know this much of a benchmark, and the list of all
// (eval/benchmarks/benchmarks.h).

#include <nlohmann/json.hpp>

#include "diptych/eval/evaluation_config.h"
#include "diptych/eval/evaluation_share.h"
#include "diptych/eval/refinement.h"

namespace diptych {

struct RewardConfig;

/** What a recipe says of its evaluations. */
struct EvaluationPlan {
  const EvaluationConfig& config;
  const RewardConfig& reward;
  int64_t image_size = 0;  // pixels per side
};

/** What one evaluation costs. */
struct EvaluationCost {
  int64_t pictures = 0;          // refined ones not counted
  int64_t judge_requests = 0;    // the recipe's reward among them, where it scores the pictures
  int64_t program_requests = 0;  // of reward.command.program

  EvaluationCost& operator+=(const EvaluationCost& other);
};

/** What an evaluation is made with. */
struct EvaluationInput {
  Painter painter;  // with the options of the recipe
  const EvaluationConfig& config;
  RewardFunction reward;  // the recipe's; empty where it names none, and a benchmark scores as it sees fit
  EvaluationShare share = {};
};

/** What came of a benchmark. */
struct BenchmarkResult {
  std::map<std::string, double> metrics;             // "eval/...", the names of docs/metrics.md
  std::string summary;                               // a line for the log
  nlohmann::json report = nlohmann::json::object();  // its keys of result.json
  std::string table;                                 // lines for the terminal
  std::vector<EvaluatedSample> samples;              // one a prompt, in order
};

/** Prompts, how pictures are made of them, what scores these, and how scores become numbers. */
struct Benchmark {
  int order = 0;                 // among others: evaluated and told in this order
  std::string name;              // of its files, and of its section
  std::string key;               // of the recipe, a number: above 0 asks for it
  bool of_shapes_world = false;  // measures no own prompts: with these it has to be asked for explicitly
  bool in_supervised = true;     // supervised training evaluates by it, too
  bool rewarded = false;         // the recipe's reward scores its pictures
  bool shown = false;            // TensorBoard and the report show its pictures: those of one benchmark
  std::optional<ConfigSection> keys = std::nullopt;  // its own, if any: config.sections.at(name).as<...>()
  bool (*is_asked)(const EvaluationConfig& config) = nullptr;
  void (*turn_off)(EvaluationConfig& config) = nullptr;
  /** Throws Error(config) for a recipe whose pictures it could not score. */
  void (*check)(const EvaluationPlan& plan) = nullptr;
  EvaluationCost (*cost)(const EvaluationPlan& plan) = nullptr;
  std::vector<TaskPrompt> (*prompts)(const EvaluationConfig& config) = nullptr;
  /** How pictures are made, whatever the episode that trains; there is no window of noise in any of them. Throws
   *  Error(config) for pictures that it could not score. */
  EpisodeOptions (*episode)(const EpisodeOptions& recipe, const EvaluationConfig& config) = nullptr;
  /** Whether pictures are right, for refinement as the config says; null: its pictures are not refined. */
  std::vector<bool> (*verdicts)(const std::vector<EvaluatedSample>& samples) = nullptr;
  /** Scores painted samples of this process, before those of all meet; null: `numbers` does. */
  void (*score)(const EvaluationInput& input, std::vector<EvaluatedSample>& samples) = nullptr;
  /** Of the samples of all processes, the same in each. */
  BenchmarkResult (*numbers)(const EvaluationInput& input, std::vector<EvaluatedSample> samples) = nullptr;
};

/** Evaluates: one Euler chain a prompt, refined as the config says, its draws addressed by the prompt's place. The
 *  result does not depend on the share; every process gets the whole. Throws what the benchmark throws. */
BenchmarkResult evaluate(const Benchmark& benchmark, const EvaluationInput& input);

/** A line of a table for the terminal. */
std::string table_row(const std::string& name, double value);

}  // namespace diptych
