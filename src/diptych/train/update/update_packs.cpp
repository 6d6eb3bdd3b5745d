#include "diptych/train/update/update_packs.h"

#include "diptych/tensor/packs.h"

namespace diptych {

std::vector<size_t> own_stages(const Rollout& rollout, std::vector<size_t> stages) {
  std::erase_if(stages, [&](size_t index) { return rollout.stages[index].remote; });
  return stages;
}

std::vector<size_t> trained_stages(const Rollout& rollout, const std::vector<size_t>& stages,
                                   const ReplayOptions& options) {
  std::vector<size_t> trained;
  for (size_t index : stages) {
    const Stage& stage = rollout.stages[index];
    if ((stage.text && options.with_text) || (stage.image && options.with_image)) trained.push_back(index);
  }
  return trained;
}

std::vector<std::vector<size_t>> mini_batches(const Rollout& rollout, const std::vector<size_t>& stages,
                                              const UpdateOptions& options) {
  const int64_t count = options.mini_batches;
  std::vector<std::vector<size_t>> batches(static_cast<size_t>(count));
  for (size_t index : trained_stages(rollout, stages, options.replay))
    batches[static_cast<size_t>(rollout.stages[index].prompt * count / rollout.prompts)].push_back(index);
  std::erase_if(batches, [](const auto& batch) { return batch.empty(); });
  return batches;
}

std::vector<std::vector<size_t>> packs_of(const Rollout& rollout, const std::vector<size_t>& batch,
                                          const UpdateOptions& options) {
  const std::vector<size_t> own = own_stages(rollout, batch);
  const auto size = static_cast<size_t>(options.chains_per_pack);
  std::vector<std::vector<size_t>> packs;
  for (size_t begin = 0; begin < own.size(); begin += size)
    packs.emplace_back(own.begin() + static_cast<int64_t>(begin),
                       own.begin() + static_cast<int64_t>(std::min(own.size(), begin + size)));
  return packs;
}

void place_values(const std::vector<size_t>& stages, const std::vector<StageValues>& values,
                  std::vector<StageValues>& by_stage) {
  for (size_t c = 0; c < stages.size(); ++c) by_stage[stages[c]] = values[c];
}

std::vector<StageValues> replay_values(const Bagel& model, const Rollout& rollout, const std::vector<size_t>& stages,
                                       const UpdateOptions& options) {
  at::NoGradGuard no_grad;
  std::vector<StageValues> values(rollout.stages.size());
  std::vector<std::vector<size_t>> packs;
  for (const std::vector<size_t>& batch : mini_batches(rollout, stages, options))
    for (std::vector<size_t>& pack : packs_of(rollout, batch, options)) packs.push_back(std::move(pack));
  for_each_pack(model.embed_tokens.device(), static_cast<int64_t>(packs.size()), [&](int64_t p) {
    const std::vector<size_t>& pack = packs[static_cast<size_t>(p)];
    place_values(pack, stage_values(rollout, pack, replay(model, rollout, pack, options.replay)), values);
  });
  return values;
}

}  // namespace diptych
