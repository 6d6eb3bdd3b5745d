#include "diptych/eval/evaluation_share.h"

#include <algorithm>

#include "diptych/tensor/torch.h"

namespace diptych {

std::vector<EvaluatedSample> EvaluationShare::deal(const std::vector<TaskPrompt>& prompts) const {
  std::vector<EvaluatedSample> own;
  for (size_t place = rank; place < prompts.size(); place += world) {
    own.emplace_back();
    own.back().place = place;
    own.back().prompt = prompts[place];
  }
  return own;
}

std::vector<EvaluatedSample> EvaluationShare::collect(const std::vector<TaskPrompt>& prompts,
                                                      std::vector<EvaluatedSample> own) const {
  if (world == 1) return own;
  std::vector<EvaluatedSample> all = join(std::move(own));
  std::sort(all.begin(), all.end(),
            [](const EvaluatedSample& a, const EvaluatedSample& b) { return a.place < b.place; });
  TORCH_CHECK(all.size() == prompts.size(), all.size(), " samples of ", prompts.size(), " prompts were joined");
  for (size_t place = 0; place < all.size(); ++place) {
    TORCH_CHECK(all[place].place == place, "no sample of prompt ", place, " was joined");
    all[place].prompt = prompts[place];
  }
  return all;
}

}  // namespace diptych
