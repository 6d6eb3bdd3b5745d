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

const std::vector<SettingChange<Setting>>& changes() {
  static const std::vector<SettingChange<Setting>> list = {
      round_weights<Setting>,
      [](Setting& setting) { return halve("rollout.chains_per_pack", setting.recipe.rollout.chains_per_pack); },
      [](Setting& setting) { return halve("train.chains_per_pack", setting.recipe.train.chains_per_pack); },
      recompute_layers<Setting>,
      [](Setting& setting) -> std::string {
        if (setting.recipe.train.shard_weights || setting.recipe.lora.rank > 0 || setting.options.ranks == 1 ||
            !setting.recipe.train.recompute_layers)
          return "";
        setting.recipe.train.shard_weights = true;
        return "train.shard_weights=true";
      },
      [](Setting& setting) -> std::string {
        if (setting.recipe.train.gradient_dtype == "bfloat16" || setting.recipe.run.dtype != "bfloat16") return "";
        setting.recipe.train.gradient_dtype = "bfloat16";
        return "train.gradient_dtype=bfloat16";
      },
      [](Setting& setting) { return double_ranks(setting.options.ranks, setting.recipe.prompts.per_step); },
      [](Setting& setting) -> std::string {
        if (setting.recipe.lora.rank > 0) return "";
        setting.recipe.lora.rank = 64;
        setting.recipe.train.shard_weights = false;
        setting.recipe.lora.targets = {"*_proj*"};
        return "lora.rank=64";
      },
      [](Setting& setting) -> std::string {
        int64_t& size = setting.recipe.rollout.image_size;
        if (size < 2 * kLeastImage) return "";
        size /= 2;
        return cat("rollout.image_size=", size);
      }};
  return list;
}

}  // namespace

std::vector<Advice> advise(const ModelConfig& config, const RlRecipe& recipe, const PlanOptions& options,
                           int64_t limit) {
  return search_advice<Setting>(
      {recipe, options}, changes(),
      [&](const Setting& setting) {
        PlannedModel planned = planned_model(config, setting.recipe);
        return plan_memory(planned, setting.recipe, setting.options).peak();
      },
      limit);
}

}  // namespace diptych
