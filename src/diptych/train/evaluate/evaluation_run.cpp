#include "diptych/train/evaluate/evaluation_run.h"

#include <nlohmann/json.hpp>

#include "diptych/base/error.h"
#include "diptych/io/files.h"
#include "diptych/tensor/device.h"
#include "diptych/train/check/check_recipe.h"
#include "diptych/train/evaluate/evaluation_record.h"
#include "diptych/train/rollout/command_context.h"
#include "diptych/train/run/threads.h"

namespace diptych {

namespace {

nlohmann::json json_of(const RefinementResult& result, const std::string& mode) {
  nlohmann::json object{{"mode", mode},
                        {"before", result.before},
                        {"after", result.after},
                        {"refined", result.refined},
                        {"kept_right", result.kept_right},
                        {"repaired", result.repaired},
                        {"by_round", result.by_round},
                        {"described", result.described},
                        {"diagnosed", result.diagnosed}};
  if (mode == "self") {
    object["stops"] = result.stops;
    object["stop_precision"] = result.stop_precision;
    object["stop_recall"] = result.stop_recall;
  }
  return object;
}

nlohmann::json json_of(const EditScores& scores) {
  return {{"correct", scores.correct},
          {"semantic", scores.semantic},
          {"quality", scores.quality},
          {"overall", scores.overall}};
}

nlohmann::json json_of(const EvaluationReport& report, const EvaluationRecipe& recipe) {
  nlohmann::json object{{"model", recipe.model}, {"split", recipe.eval.split}, {"seed", recipe.eval.seed}};
  if (report.pictures) {
    object["prompts_per_pool"] = recipe.eval.prompts;
    object["correct_explicit"] = report.pictures->correct_explicit;
    object["correct_implicit"] = report.pictures->correct_implicit;
    if (report.pictures->reward) object["reward"] = *report.pictures->reward;
    object["refined_correct"] = report.pictures->refined_correct;
    object["by_family"] = report.pictures->correct_by_family;
    if (report.pictures->refinement) object["refinement"] = json_of(*report.pictures->refinement, recipe.eval.refine);
  }
  if (report.edits) {
    object["edits"] = json_of(report.edits->all);
    object["edit_instructions"] = recipe.eval.edits;
    for (const auto& [kind, scores] : report.edits->by_kind) object["edits_by_kind"][kind] = json_of(scores);
  }
  return object;
}

}  // namespace

EvaluationReport run_evaluation(const EvaluationRecipe& recipe) {
  if (!evaluates(recipe.eval))
    throw Error(ExitCode::config, {"eval", "eval.prompts or eval.edits above 0", "both 0", ""});
  check_evaluation(recipe.eval, recipe.rollout, recipe.reward);
  use_threads(recipe.threads);
  const EpisodeOptions options = episode_options(recipe.rollout, recipe.eval.updates);
  RewardFunction reward;
  if (recipe.eval.prompts > 0)
    reward =
        make_reward(recipe.reward, {},
                    command_context([&] { return evaluated_prompts(recipe.eval).front(); }, options, single_process()));
  const ModelFolder folder =
      load_model_folder(recipe.model, compute_dtype(recipe.dtype), open_device(recipe.device, 0, "device"));
  const bool writes = !recipe.out.empty();
  if (writes) {
    make_folder(recipe.out);
    write_file_atomic(recipe.out + "/recipe.toml", print_config(recipe));
  }
  EvaluationReport report;
  if (recipe.eval.prompts > 0) {
    report.pictures = evaluate_shapes(folder.model, folder.tokenizer, options, recipe.eval, reward);
    if (writes) write_samples(recipe.out, "pictures", report.pictures->samples);
  }
  if (recipe.eval.edits > 0) {
    report.edits = evaluate_edits(folder.model, folder.tokenizer, options, recipe.eval);
    if (writes) write_samples(recipe.out, "edits", report.edits->samples);
  }
  if (writes) write_file_atomic(recipe.out + "/result.json", json_of(report, recipe).dump(2) + "\n");
  return report;
}

}  // namespace diptych
