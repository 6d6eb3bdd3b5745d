#include "diptych/tensor/torch.h"

#include "diptych/plan/advice.h"

#include <algorithm>

#include "diptych/base/text_format.h"
#include "diptych/plan/advice_search.h"

namespace diptych {

namespace {

constexpr int64_t kLeastImage = 512;  // pixels, where the offer to paint smaller ends

struct Setting {
  RlRecipe recipe;
  PlanOptions options;
};

std::function<int64_t(const Setting&)> peak_with(const ModelConfig& config) {
  return [config](const Setting& setting) {
    PlannedModel planned = planned_model(config, setting.recipe);
    return plan_memory(planned, setting.recipe, setting.options).peak();
  };
}

using Changes = std::vector<SettingChange<Setting>>;

/** Those that leave what is trained, and the number of cards, as they are. */
const Changes& changes_of_the_same_training() {
  static const Changes list = {
      {round_weights<Setting>, kCostOfRounding},
      {[](Setting& setting) { return halve("rollout.chains_per_pack", setting.recipe.rollout.chains_per_pack); },
       kCostOfSmallPacks},
      {[](Setting& setting) { return halve("train.chains_per_pack", setting.recipe.train.chains_per_pack); },
       kCostOfSmallPacks},
      {recompute_layers<Setting>, kCostOfRecomputing},
      {[](Setting& setting) -> std::string {
         if (setting.recipe.train.shard_weights || setting.recipe.lora.rank > 0 || setting.options.ranks == 1 ||
             !setting.recipe.train.recompute_layers)
           return "";
         setting.recipe.train.shard_weights = true;
         return "train.shard_weights=true";
       },
       "every layer is sent in every pass"},
      {[](Setting& setting) -> std::string {
         if (setting.recipe.train.gradient_dtype == "bfloat16" || setting.recipe.run.dtype != "bfloat16") return "";
         setting.recipe.train.gradient_dtype = "bfloat16";
         return "train.gradient_dtype=bfloat16";
       },
       "rounds sums of gradients"}};
  return list;
}

std::string train_adapters(Setting& setting) {
  if (setting.recipe.lora.rank > 0) return "";
  setting.recipe.lora.rank = 64;
  setting.recipe.lora.alpha = 128;
  const std::string whole = setting.recipe.train.shard_weights ? " train.shard_weights=false" : "";
  setting.recipe.train.shard_weights = false;
  return "lora.rank=64 lora.alpha=128" + whole;
}

std::string train_generation_alone(Setting& setting) {
  setting.recipe.train.und_learning_rate = 0;
  return "train.und_learning_rate=0";
}

constexpr const char* kCostOfAdapters = "trains adapters only";

Changes changes() {
  Changes list = changes_of_the_same_training();
  list.push_back({[](Setting& setting) { return double_ranks(setting.options.ranks, setting.recipe.prompts.per_step); },
                  kCostOfRanks});
  list.push_back({train_adapters, kCostOfAdapters});
  list.push_back({[](Setting& setting) -> std::string {
                    int64_t& size = setting.recipe.rollout.image_size;
                    if (size < 2 * kLeastImage) return "";
                    size /= 2;
                    return cat("rollout.image_size=", size);
                  },
                  "smaller pictures"});
  return list;
}

bool trains_both_in_full(const ModelConfig& config, const RlRecipe& recipe) {
  PlannedModel planned = planned_model(config, recipe);
  const ParameterCounts counts = parameter_counts(planned);
  // Without an image loss nothing would be left to the generation expert alone.
  return counts.adapters == 0 && counts.trained_und > 0 && counts.trained_gen > 0 && recipe.train.image_weight > 0;
}

}  // namespace

std::vector<Advice> advise(const ModelConfig& config, const RlRecipe& recipe, const PlanOptions& options,
                           int64_t limit) {
  return AdviceSearch<Setting>({recipe, options}, changes(), peak_with(config)).found(limit);
}

std::vector<Advice> lesser_trainings(const ModelConfig& config, const RlRecipe& recipe, const PlanOptions& options,
                                     int64_t limit) {
  if (!trains_both_in_full(config, recipe)) return {};
  const auto peak_of = peak_with(config);
  const int64_t before = peak_of({recipe, options});
  std::vector<Advice> all;
  for (const SettingChange<Setting>& lesser :
       Changes{{train_adapters, kCostOfAdapters}, {train_generation_alone, "trains the generation expert alone"}}) {
    Setting setting{recipe, options};
    Advice advice{lesser.make(setting), lesser.cost, 0, 0};
    advice.peak = peak_of(setting);
    for (const Advice& step : AdviceSearch<Setting>(setting, changes_of_the_same_training(), peak_of).found(limit)) {
      advice.change += " " + step.change;
      advice.cost += ", " + step.cost;
      advice.peak = step.peak;
    }
    advice.saved = before - advice.peak;
    if (advice.peak <= limit) all.push_back(advice);
  }
  return all;
}

}  // namespace diptych
