#include "diptych/train/losses/text_rows.h"

#include "diptych/tensor/device.h"

namespace diptych {

TextRows text_rows(const LossInput& input, const LossOptions& options, const LossDenominators& denominators) {
  const at::TensorOptions like = input.now.logprobs.options();
  TextRows rows;
  rows.logprobs = input.now.logprobs;
  rows.sequences = denominators.text.sequences;
  std::vector<Tensor> before, frozen;
  for (size_t number : input.stages) {
    const std::optional<SampledText>& text = input.rollout.stages[number].text;
    if (!text) continue;
    rows.lengths.push_back(static_cast<int64_t>(text->tokens.size()));
    rows.advantages.push_back(input.advantages[number]);
    before.push_back(input.old[number].logprobs);
    if (!input.reference.empty()) frozen.push_back(input.reference[number].logprobs);
  }
  rows.old = on_device(at::cat(before), like);
  if (!frozen.empty()) rows.reference = on_device(at::cat(frozen), like);
  const std::vector<double> weights = token_weights(rows.lengths, options.aggregation, denominators.text);
  rows.weight = on_device(at::tensor(weights, at::kDouble), like);
  return rows;
}

}  // namespace diptych
