#include "diptych/train/sft.h"

#include "diptych/base/error.h"
#include "diptych/base/log.h"
#include "diptych/base/stopwatch.h"
#include "diptych/base/text_format.h"
#include "diptych/train/evaluation_record.h"
#include "diptych/train/moving_average.h"
#include "diptych/train/ranks.h"
#include "diptych/train/supervised_pack.h"
#include "diptych/train/trainable.h"

namespace diptych {

namespace {

// Evaluation and the saved model use the moving average, so it stands in for the weights for a while.
class AveragedWeights {
 public:
  AveragedWeights(const std::vector<NamedTensor>& weights, const std::vector<NamedTensor>& average) {
    at::NoGradGuard no_grad;
    for (size_t i = 0; i < average.size(); ++i) {
      weights_.push_back(weights[i].tensor);
      live_.push_back(weights[i].tensor.detach().clone());
      weights_[i].copy_(average[i].tensor);
    }
  }
  ~AveragedWeights() {
    at::NoGradGuard no_grad;
    for (size_t i = 0; i < live_.size(); ++i) weights_[i].copy_(live_[i]);
  }
  AveragedWeights(const AveragedWeights&) = delete;
  AveragedWeights& operator=(const AveragedWeights&) = delete;

 private:
  std::vector<Tensor> weights_;
  std::vector<Tensor> live_;
};

std::vector<SupervisedExample> draw_batch(const ExampleSource& examples, int64_t step, int64_t batch) {
  std::vector<SupervisedExample> drawn;
  for (int64_t index = 0; index < batch; ++index)
    drawn.push_back(examples(static_cast<uint64_t>(step), static_cast<uint64_t>(index)));
  return drawn;
}

}  // namespace

EndReason train_sft(const SftRecipe& recipe) {
  require_one_process("sft");
  ModelFolder folder = load_run_model(recipe.model, recipe.run);
  Bagel& model = folder.model;
  const auto seed = static_cast<uint64_t>(recipe.run.seed);
  const ExampleSource examples = make_examples(recipe.data, recipe.train.batch, seed);
  const EpisodeOptions episode = episode_options(recipe.rollout, recipe.eval.updates);
  std::vector<std::string> free_keys = always_free_keys();
  free_keys.push_back("eval.*");
  Session session(recipe.run, print_config(recipe), hash_model_folder(recipe.model), free_keys);
  SupervisedOptions options;
  options.system_prompt = episode.system_prompt;
  options.text_dropout = recipe.train.text_dropout;
  options.timestep_shift = recipe.train.timestep_shift;

  std::vector<ParameterGroup> groups =
      expert_groups(matching_slots(transformer_slots(model), recipe.train.parameters), recipe.train.learning_rate,
                    recipe.train.learning_rate, recipe.optimizer.max_grad_norm);
  const std::vector<NamedTensor> weights = all_parameters(groups);
  AdamW optimizer(std::move(groups), adamw_options(recipe.optimizer));
  const std::vector<NamedTensor> masters = optimizer.master_weights();
  const bool averaged = recipe.train.ema_decay > 0;
  const std::vector<NamedTensor> average = averaged ? start_average(masters) : std::vector<NamedTensor>();
  std::vector<NamedTensor> saved = masters;
  saved.insert(saved.end(), average.begin(), average.end());
  session.restore(optimizer, saved);

  const bool evaluates = recipe.data.source == "shapes" && recipe.eval.prompts > 0;
  const RewardFunction reward = make_reward("shapes_soft");
  Progress progress(recipe.train.steps, "sft");
  for (int64_t step = session.first_step(); step < recipe.train.steps; ++step) {
    const Stopwatch started;
    const SupervisedPack pack =
        make_supervised_pack(model, folder.tokenizer, draw_batch(examples, step, recipe.train.batch), options, seed,
                             static_cast<uint64_t>(step));
    const SupervisedLoss loss =
        supervised_loss(model, pack, recipe.train.cross_entropy_weight, recipe.train.flow_weight);
    optimizer.clear_gradients();
    loss.total.backward();
    const StepReport report = optimizer.step(learning_rate_scale(recipe.optimizer, step, step, recipe.train.steps));
    check_applied(report, cat("sft step ", step));
    if (averaged) update_average(average, masters, recipe.train.ema_decay);

    MetricRow row{{"loss/cross_entropy", loss.cross_entropy},
                  {"loss/flow", loss.flow},
                  {"grad_norm/all", report.grad_norm},
                  {"time/step", started.seconds()}};
    const bool last = step + 1 == recipe.train.steps;
    if (evaluates && (last || (recipe.eval.every > 0 && (step + 1) % recipe.eval.every == 0))) {
      const AveragedWeights stand_in(weights, average);
      const EvaluationResult result = evaluate_shapes(model, folder.tokenizer, episode, recipe.eval, reward);
      add_evaluation(result, row);
      log_info(cat("step ", step + 1, ": correct explicit ", fixed(result.correct_explicit, 3), ", implicit ",
                   fixed(result.correct_implicit, 3)));
    }
    session.metrics().write(step + 1, row);
    progress.update(step + 1, cat("text ", fixed(loss.cross_entropy, 3), "  flow ", fixed(loss.flow, 4)));
    const bool stopping = stop_requested() && !last;
    if (stopping || last || session.due(step + 1)) session.save(step + 1, optimizer, saved, {});
    if (stopping) {
      progress.finish();
      return EndReason::interrupted;
    }
  }
  progress.finish();
  const AveragedWeights stand_in(weights, average);
  save_model_folder(session.folder() / "model", model, recipe.model, /*compact=*/true);
  return EndReason::finished;
}

}  // namespace diptych
