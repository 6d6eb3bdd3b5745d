#include "diptych/tensor/torch.h"

#include "diptych/plan/advice.h"

#include <algorithm>

#include "diptych/base/text_format.h"

namespace diptych {

namespace {

constexpr double kWorthSaying = 0.01;  // share of the peak
constexpr int64_t kMostRanks = 64;
constexpr int64_t kLeastImage = 512;  // pixels, where the offer to paint smaller ends

struct Setting {
  RlRecipe recipe;
  PlanOptions options;
};

/** Makes one change and says which, or says nothing where it cannot. */
using Change = std::string (*)(Setting&);

std::string half(const char* key, int64_t& value) {
  if (value <= 1) return "";
  value /= 2;
  return cat(key, "=", value);
}

const std::vector<Change>& changes() {
  static const std::vector<Change> list = {
      [](Setting& setting) -> std::string {
        if (setting.recipe.run.dtype == "bfloat16") return "";
        setting.recipe.run.dtype = "bfloat16";
        return "run.dtype=bfloat16";
      },
      [](Setting& setting) { return half("rollout.chains_per_pack", setting.recipe.rollout.chains_per_pack); },
      [](Setting& setting) { return half("train.chains_per_pack", setting.recipe.train.chains_per_pack); },
      [](Setting& setting) -> std::string {
        if (setting.recipe.train.recompute_layers) return "";
        setting.recipe.train.recompute_layers = true;
        return "train.recompute_layers=true";
      },
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
      [](Setting& setting) -> std::string {
        // Prompts are dealt: with fewer than one each, ranks would idle.
        if (2 * setting.options.ranks > std::min(kMostRanks, setting.recipe.prompts.per_step)) return "";
        setting.options.ranks *= 2;
        return cat("--ranks=", setting.options.ranks);
      },
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

std::string key_of(const std::string& change) {
  return change.substr(0, change.find('='));
}

// Halving a key twice is one piece of advice.
void add(std::vector<Advice>& all, Advice next) {
  if (!all.empty() && key_of(all.back().change) == key_of(next.change)) {
    next.saved += all.back().saved;
    all.pop_back();
  }
  all.push_back(std::move(next));
}

int64_t peak_of(const ModelConfig& config, const Setting& setting) {
  PlannedModel planned = planned_model(config, setting.recipe);
  return plan_memory(planned, setting.recipe, setting.options).peak();
}

}  // namespace

std::vector<Advice> advise(const ModelConfig& config, const RlRecipe& recipe, const PlanOptions& options,
                           int64_t limit) {
  std::vector<Advice> all;
  Setting setting{recipe, options};
  int64_t peak = peak_of(config, setting);
  for (size_t next = 0; peak > limit && next < changes().size();) {
    Setting changed = setting;
    const std::string change = changes()[next](changed);
    const int64_t after = change.empty() ? peak : peak_of(config, changed);
    if (static_cast<double>(peak - after) < kWorthSaying * static_cast<double>(peak)) {
      ++next;
      continue;
    }
    add(all, {change, peak - after, after});
    setting = changed;
    peak = after;
    next = 0;
  }
  return all;
}

}  // namespace diptych
