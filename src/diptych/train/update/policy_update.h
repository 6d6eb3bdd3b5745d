#pragma once
// One rollout's worth of learning: old values, the ratio gates, and the optimizer steps.

#include <functional>

#include "diptych/train/update/update_packs.h"
#include "diptych/train/update/update_report.h"

namespace diptych {

/** What an update learns from. */
struct UpdateInput {
  const Rollout& rollout;
  const std::vector<size_t>& contributing;    // stages whose group has a spread, of all processes
  const std::vector<double>& advantages;      // by stage number
  const std::vector<StageValues>& reference;  // by stage number; empty where no penalty has a weight
};

/** All updates of a rollout. */
class PolicyUpdate {
 public:
  /** `policy`: of the model. Everything must stay where it is until run() ends. */
  PolicyUpdate(const Bagel& model, TrainedPolicy& policy, const UpdateOptions& options, const UpdateInput& input)
      : model_(model), policy_(policy), options_(options), input_(input), old_(input.rollout.stages.size()) {}

  /** To be called once. Of the contributing stages, those without anything that trains are left out. Old values are
   *  fixed before the first update. Gate A is checked on the first update, gate B on old values or on the first update;
   *  both throw Error(numerics). `learning_rate_scale` is asked ahead of every update, since warm-up counts updates. */
  UpdateReport run(const std::function<double()>& learning_rate_scale);

 private:
  bool fix_old_values();
  bool add_gradients(const std::vector<size_t>& batch);
  void check_first_update(bool finite);
  std::vector<size_t> own_trained_stages() const;

  const Bagel& model_;
  TrainedPolicy& policy_;
  const UpdateOptions& options_;
  const UpdateInput input_;
  std::vector<StageValues> old_;  // by stage number
  bool replays_old_ = false;      // the one update's own pass gives the old values
  UpdateReport report_;
};

}  // namespace diptych
