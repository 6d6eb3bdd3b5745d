#pragma once
// AdamW over fp32 master parameters, with gradient clipping per parameter group.

#include "diptych/tensor/torch.h"

#include <map>
#include <string>
#include <vector>

#include "diptych/tensor/named_tensor.h"

namespace diptych {

/** Parameters that share a learning rate and a gradient norm: usually one group per expert. */
struct ParameterGroup {
  std::string name;
  std::vector<NamedTensor> parameters;  // contiguous leaves, fp32 or fp64; names unique over all groups
  double learning_rate = 0;
  double max_grad_norm = 0;  // the group's gradients are scaled down to this L2 norm; 0: not clipped
};

struct AdamWOptions {
  double beta1 = 0.9;
  double beta2 = 0.999;
  double epsilon = 1e-8;
  double weight_decay = 1e-4;      // decoupled: p *= 1 - lr * weight_decay
  double joint_max_grad_norm = 0;  // above 0: one norm over all groups is clipped, and max_grad_norm is not used
};

/** What one step did to one group. */
struct GroupStepReport {
  std::string name;
  double grad_norm = 0;            // L2 norm before clipping
  double clip_coefficient = 1;     // factor on the gradients: min(1, max_norm / (norm + 1e-6))
  double below_epsilon_share = 0;  // share of weights whose sqrt(v_hat) lies below epsilon, in [0, 1]
  double changed_share = 0;        // share of weights whose stored value changed, in [0, 1]
};

struct StepReport {
  bool applied = false;
  std::vector<std::string> non_finite;  // parameters whose gradient norm is not finite; empty if applied
  double grad_norm = 0;                 // L2 norm over all groups before clipping
  std::vector<GroupStepReport> groups;
};

/** Loshchilov & Hutter 2019, with the arithmetic of torch.optim.AdamW and torch.nn.utils.clip_grad_norm_: updates agree
 *  with both to rounding. The step is the same on every rank if the gradients are. */
class AdamW {
 public:
  AdamW(std::vector<ParameterGroup> groups, const AdamWOptions& options);

  /** One update with learning rates `learning_rate * learning_rate_scale`. Reads each parameter's `grad()`; an
   * undefined gradient counts as zero. The gradients are used up: their values are unspecified afterwards. If any
   * gradient is not finite nothing changes and the report names the parameters. */
  StepReport step(double learning_rate_scale);

  /** Drops all gradients. */
  void clear_gradients();

  /** `exp_avg/NAME`, `exp_avg_sq/NAME` of every parameter, and `step` (int64 [1]). The tensors share memory with the
   *  optimizer: store or clone them before the next step. */
  std::vector<NamedTensor> optimizer_state() const;

  /** Restores what optimizer_state() gave, bit for bit. Throws Error(model) that lists every missing, extra and
   * misshapen tensor; then nothing has changed. */
  void load_optimizer_state(const std::map<std::string, Tensor>& state);

  const std::vector<ParameterGroup>& groups() const { return groups_; }
  /** Number of updates applied. */
  int64_t step_count() const { return step_count_; }

 private:
  struct Moments {
    Tensor exp_avg;
    Tensor exp_avg_sq;
  };

  GroupStepReport update_group(size_t group_index, double learning_rate, const GroupStepReport& norms);

  std::vector<ParameterGroup> groups_;
  AdamWOptions options_;
  std::vector<std::vector<Moments>> moments_;  // [group][parameter], like groups_
  int64_t step_count_ = 0;
};

/** Linear warm-up, then constant: (step + 1) / warmup_steps, at most 1, where `step` counts from 0. */
double warmup_scale(int64_t step, int64_t warmup_steps);

}  // namespace diptych
