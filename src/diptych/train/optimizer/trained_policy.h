#pragma once
// The part of a model that trains, with its optimizer and its frozen start: weights in place, or
// adapters.

#include "diptych/model/bagel/adapters.h"
#include "diptych/train/optimizer/dealt_layers.h"
#include "diptych/train/optimizer/gradient_buckets.h"
#include "diptych/train/optimizer/optimizer.h"

namespace diptych {

struct PolicyOptions {
  std::vector<std::string> parameters = {
      "language_model.model.layers.*"};  // name patterns of what trains; unused with adapters
  AdapterOptions adapters = {};          // rank 0: none
  double und_learning_rate = 0;
  double gen_learning_rate = 0;
  double max_grad_norm = 1;
  AdamWOptions adamw = {};
  uint64_t seed = 0;            // of new adapters
  bool keeps_reference = true;  // false: no copies of the start weights, and no ReferenceInPlace
  bool shard_weights = false;   // deal_weights() deals; the model must recompute layers, and nothing else trains
};

/** Makes what the options ask for trainable, adapters included, and deals it into groups. `model` may lie on the meta
 *  device. */
std::vector<ParameterGroup> trained_groups(Bagel& model, const PolicyOptions& options);

/** Bytes of memory that a rank keeps beside the weights from the first update on, at the least: gradients, its share of
 *  masters and moments, adapters and the weights behind them, the reference. `dtype`: of the model. */
int64_t kept_bytes(const ModelConfig& config, at::ScalarType dtype, const PolicyOptions& options, int ranks);

class TrainedPolicy {
 public:
  /** Takes the model as it is for the reference. `model` and `ranks` must stay where they are. */
  TrainedPolicy(Bagel& model, const PolicyOptions& options, ProcessGroup& ranks = single_process());

  /** Whether adapters are what trains. */
  bool adapted() const { return adapted_; }

  /** What gradients are wanted of. */
  std::vector<Tensor> parameters() const;

  /** Where the gradients of all ranks are added up. */
  GradientBuckets& buckets() { return buckets_; }

  /** With shard_weights: brings all weights to all ranks, for whatever is not an update. */
  void gather_weights();
  /** With shard_weights: from here on each rank keeps its share and a layer at a time (DealtLayers). */
  void deal_weights();
  /** Absent without shard_weights. */
  DealtLayers* dealt_layers() { return dealt_.get(); }

  /** Waits for the sums of the gradients over the ranks, which must have been started, and does the optimizer's step,
   * after which the model computes with the new weights, the same on every rank. */
  StepReport step(double learning_rate_scale);

  /** Takes the weights of another model for the reference, while the model still is the one that was given. Throws
   * Error(config) with adapters, whose reference is the model without them, and Error(model) where the other model
   * differs in a shape, or in weights that do not train. */
  void take_reference(Bagel& other);

  /** False from the moment that an exception left an update, or an exchange with the reference, half done: what the
   * weights are is not known then. */
  bool intact() const { return !shows_reference_ && optimizer_.intact(); }

  /** Weights to be filled from a checkpoint: float32 masters or adapters, of all that train. */
  std::vector<NamedTensor> restorable() const { return optimizer_.master_weights(); }

  /** To be called when restorable() was written to and rounded (AdamW::round_masters). */
  void restored();

  ProcessGroup& ranks() const { return ranks_; }
  AdamW& optimizer() { return optimizer_; }
  const AdamW& optimizer() const { return optimizer_; }

 private:
  friend class ReferenceInPlace;
  void show_reference();
  void show_policy();
  void exchange_frozen();

  Bagel& model_;
  ProcessGroup& ranks_;
  bool adapted_;
  bool shows_reference_ = false;
  AdamW optimizer_;
  GradientBuckets buckets_;  // of nothing where gradients are dealt
  std::unique_ptr<DealtLayers> dealt_;
  std::vector<Tensor> frozen_;  // copies of the parameters at the start, in the host's memory; none with adapters
};

/** While it lives, the model computes as the reference that the policy started from: no second model. */
class ReferenceInPlace {
 public:
  explicit ReferenceInPlace(TrainedPolicy& policy) : policy_(policy) { policy_.show_reference(); }
  ~ReferenceInPlace();
  ReferenceInPlace(const ReferenceInPlace&) = delete;
  ReferenceInPlace& operator=(const ReferenceInPlace&) = delete;

 private:
  TrainedPolicy& policy_;
};

}  // namespace diptych
