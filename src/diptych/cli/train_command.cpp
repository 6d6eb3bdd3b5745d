#include "diptych/cli/train_command.h"

#include "diptych/base/text_format.h"
#include "diptych/cli/finish.h"
#include "diptych/train/rl.h"

namespace diptych {

int train_command(const std::filesystem::path& recipe, const std::vector<std::string>& overrides) {
  const auto config = load_config<RlRecipe>(recipe, overrides);
  const RlResult result = train_rl(config);
  return finish_run(result.reason, config.run.dir,
                    cat(result.steps, " steps; the trained model is ", config.run.dir, "/model"));
}

}  // namespace diptych
