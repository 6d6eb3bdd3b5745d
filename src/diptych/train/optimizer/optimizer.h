#pragma once
// AdamW over fp32 master weights, with gradient clipping per parameter group.

#include "diptych/tensor/torch.h"

#include <map>
#include <string>
#include <vector>

#include "diptych/distributed/process_group.h"
#include "diptych/tensor/named_tensor.h"

namespace diptych {

/** Parameters that share a learning rate and a gradient norm: usually one group per expert. */
struct ParameterGroup {
  std::string name;
  std::vector<NamedTensor> parameters;  // contiguous leaves, fp32, fp64 or bf16; names unique over all groups
  double learning_rate = 0;
  double max_grad_norm = 0;  // the group's gradients are scaled down to this L2 norm; 0: not clipped
};

struct AdamWOptions {
  double beta1 = 0.9;
  double beta2 = 0.999;
  double epsilon = 1e-8;
  double weight_decay = 1e-4;       // decoupled: p *= 1 - lr * weight_decay
  double joint_max_grad_norm = 0;   // above 0: one norm over all groups is clipped, and max_grad_norm is not used
  bool bfloat16_gradients = false;  // of bf16 parameters; else their sums are fp32
  bool updates = true;              // false: no moments, which are twice the masters, and no step()
  bool dealt = false;  // weights and gradients lie with their owners, too (DealtLayers): nothing is sent after a step
};

/** What one step did to one group. */
struct GroupStepReport {
  std::string name;
  double grad_norm = 0;            // L2 norm before clipping
  double clip_coefficient = 1;     // factor on the gradients: min(1, max_norm / (norm + 1e-6))
  double below_epsilon_share = 0;  // share of weights whose sqrt(v_hat) lies below epsilon, in [0, 1]
  double changed_share = 0;  // share of weights whose stored value changed, in [0, 1]; TrainedPolicy: of merged ones
};

struct StepReport {
  bool applied = false;
  std::vector<std::string> non_finite;  // parameters whose gradient norm is not finite; empty if applied
  double grad_norm = 0;                 // L2 norm over all groups before clipping
  std::vector<GroupStepReport> groups;
};

/** Loshchilov & Hutter 2019, with the arithmetic of torch.optim.AdamW and torch.nn.utils.clip_grad_norm_: updates agree
 *  with both to rounding. A bf16 parameter has an fp32 master: gradients are added up in fp32, the master is updated
 *  and rounded into the parameter, so that updates below bf16's resolution are not lost but saved up.
 *
 *  With several ranks, masters and moments are dealt over them, whole parameters at a time (ZeRO-1): a rank updates
 *  what it owns and sends the result to the others, so that equal gradients make the same bits on all. */
class AdamW {
 public:
  /** `ranks` must outlive the optimizer. */
  AdamW(std::vector<ParameterGroup> groups, const AdamWOptions& options, ProcessGroup& ranks = single_process());

  /** One update with learning rates `learning_rate * learning_rate_scale`. Reads each parameter's `grad()`, which may
   * be fp32 for a bf16 parameter; an undefined gradient counts as zero. The gradients are used up: their values are
   * unspecified afterwards. If any gradient is not finite nothing changes and the report names the parameters. */
  StepReport step(double learning_rate_scale);

  /** Drops all gradients. Those of bf16 parameters start as fp32 zeros, to which autograd adds, unless they are to be
   *  bf16 themselves; those of dealt ones at their owners only. */
  void clear_gradients();
  /** Gives their memory back, so that a rollout has it. */
  void release_gradients();

  /** The fp32 masters under the parameters' names, to be written to; an fp32 parameter is its own, and so is one whose
   * master another rank owns. */
  std::vector<NamedTensor> master_weights() const;

  /** Those that this rank owns: its part of a checkpoint. */
  std::vector<NamedTensor> owned_master_weights() const;

  /** Rounds the masters into the parameters, after someone else has written to them. */
  void round_masters();

  /** `exp_avg/NAME`, `exp_avg_sq/NAME` of every parameter that this rank owns, and from rank 0 `step` (int64 [1]). The
   *  tensors share memory with the optimizer: store or clone them before the next step. */
  std::vector<NamedTensor> optimizer_state() const;

  /** Restores what optimizer_state() of all ranks gave together, bit for bit, on any number of ranks. Throws
   * Error(model) that lists every missing, extra and misshapen tensor; then nothing has changed. */
  void load_optimizer_state(const std::map<std::string, Tensor>& state);

  /** The rank that owns each parameter, by name. */
  std::map<std::string, int> owners() const;

  const std::vector<ParameterGroup>& groups() const { return groups_; }
  /** Number of updates applied. */
  int64_t step_count() const { return step_count_; }
  /** False once an exception has left step() half done. */
  bool intact() const { return intact_; }

 private:
  struct State {
    int owner = 0;   // rank
    Tensor master;   // the parameter itself where that is fp32 or fp64, or another rank's
    Tensor exp_avg;  // undefined where another rank owns it
    Tensor exp_avg_sq;
  };

  GroupStepReport update_group(size_t group_index, double learning_rate, const GroupStepReport& norms);

  /** Rounded sums of many packs would lose the small ones unnoticed. */
  void check_sums() const;
  void join_norms(std::vector<std::vector<double>>& norms);
  bool owns(const State& state) const { return state.owner == ranks_.rank(); }
  void send_updates(size_t group_index);
  std::vector<NamedTensor> expected_state() const;

  std::vector<ParameterGroup> groups_;
  AdamWOptions options_;
  ProcessGroup& ranks_;
  std::vector<std::vector<State>> states_;  // [group][parameter], like groups_
  int64_t step_count_ = 0;
  bool intact_ = true;
};

/** The rank that owns each parameter's master and moments: the largest first, each to the rank that has least so far.
 */
std::vector<int> owners_of(const std::vector<NamedTensor>& parameters, int world);

/** Linear warm-up, then constant: (step + 1) / warmup_steps, at most 1, where `step` counts from 0. */
double warmup_scale(int64_t step, int64_t warmup_steps);

}  // namespace diptych
