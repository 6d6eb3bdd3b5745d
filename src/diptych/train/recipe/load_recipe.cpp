#include "diptych/train/recipe/load_recipe.h"

#include "diptych/base/config/config_layers.h"
#include "diptych/eval/benchmarks/benchmarks.h"
#include "diptych/train/prompts/prompt_sources.h"

namespace diptych {

RlRecipe load_rl_recipe(const std::filesystem::path& file, const std::vector<std::string>& overrides) {
  auto recipe = load_config<RlRecipe>(file, overrides);
  if (prompt_source(recipe.prompts.source).foreign.empty()) return recipe;
  for (const Benchmark& benchmark : benchmarks())
    if (benchmark.of_shapes_world && !is_set_along_with(file, overrides, benchmark.key, "prompts.source"))
      benchmark.turn_off(recipe.eval);
  return recipe;
}

}  // namespace diptych
