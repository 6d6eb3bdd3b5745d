#include "diptych/train/optimizer/trained_policy.h"

#include "diptych/base/error.h"
#include "diptych/base/log.h"
#include "diptych/base/name_patterns.h"
#include "diptych/base/text_format.h"
#include "diptych/train/optimizer/trainable.h"

namespace diptych {

namespace {

/** Adapters only where a learning rate trains them: others would cost memory and be exported, and do nothing. */
AdapterOptions trained_adapters(Bagel& model, const PolicyOptions& options) {
  std::vector<std::string> names;
  for (const NamedLinear& linear : decoder_linears(model.decoder)) names.push_back(linear.name);
  AdapterOptions trained = options.adapters;
  trained.targets.clear();
  for (const size_t place : matching_names(names, options.adapters.targets, "lora.targets")) {
    const bool trains =
        (is_generation_expert(names[place]) ? options.gen_learning_rate : options.und_learning_rate) > 0;
    if (trains) trained.targets.push_back(names[place]);
  }
  if (trained.targets.empty())
    throw Error(ExitCode::config, {"lora.targets and the learning rates", "linears of an expert that trains",
                                   "none, since the learning rate of theirs is 0", ""});
  return trained;
}

}  // namespace

std::vector<ParameterGroup> trained_groups(Bagel& model, const PolicyOptions& options) {
  const std::vector<ParameterSlot> slots = options.adapters.rank > 0
                                               ? attach_adapters(model, trained_adapters(model, options), options.seed)
                                               : matching_slots(transformer_slots(model), options.parameters);
  for (const ParameterSlot& slot : slots)
    if (options.shard_weights && !decoder_layer_of(slot.name))
      throw Error(ExitCode::config, {"train.parameters", "weights of the decoder's layers alone", slot.name,
                                     "train.shard_weights asks for it"});
  return expert_groups(slots, options.und_learning_rate, options.gen_learning_rate, options.max_grad_norm);
}

int64_t kept_bytes(const ModelConfig& config, at::ScalarType dtype, const PolicyOptions& options, int ranks) {
  Bagel model = make_bagel(config);
  for (const ParameterSlot& slot : transformer_slots(model)) *slot.tensor = slot.tensor->to(dtype);
  const bool copied =
      options.adapters.rank > 0 || options.keeps_reference;  // the adapters themselves, or the reference
  int64_t kept = 0, dealt = 0;
  for (const NamedTensor& parameter : all_parameters(trained_groups(model, options))) {
    const auto own = static_cast<int64_t>(parameter.tensor.nbytes()), precise = 4 * parameter.tensor.numel();
    kept += copied ? own : 0;
    (options.shard_weights ? dealt : kept) += own;  // gradients
    dealt += 2 * precise + (own == precise ? 0 : precise);
  }
  for (const NamedLinear& linear : adapted_linears(model)) kept += static_cast<int64_t>(linear.layer->weight.nbytes());
  return kept + dealt / ranks;
}

namespace {

AdamWOptions optimizer_options(const PolicyOptions& options) {
  AdamWOptions adamw = options.adamw;
  adamw.dealt = options.shard_weights;
  return adamw;
}

std::unique_ptr<DealtLayers> dealt_layers_of(Bagel& model, const PolicyOptions& options, const AdamW& optimizer,
                                             ProcessGroup& ranks) {
  TORCH_CHECK(model.decoder.recompute && options.adapters.rank == 0,
              "dealt weights need recomputed layers and no adapters (checked_recipe)");
  if (ranks.world() == 1) return nullptr;  // it has all of them
  return std::make_unique<DealtLayers>(model.decoder, optimizer.owners(), ranks);
}

/** Of each expert the share of adapted weights that a merge changed: what moved is the merged weight, not the factors.
 */
void report_merged(const std::vector<MergedLinear>& merged, std::vector<GroupStepReport>& groups) {
  for (GroupStepReport& group : groups) {
    std::vector<Tensor> changed;
    int64_t weights = 0;
    for (const MergedLinear& linear : merged) {
      if ((group.name == "gen") != is_generation_expert(linear.name)) continue;
      changed.push_back(linear.changed);
      weights += linear.weights;
    }
    group.changed_share = static_cast<double>(at::stack(changed).sum().item<int64_t>()) / static_cast<double>(weights);
  }
}

}  // namespace

TrainedPolicy::TrainedPolicy(Bagel& model, const PolicyOptions& options, ProcessGroup& ranks)
    : model_(model),
      ranks_(ranks),
      adapted_(options.adapters.rank > 0),
      optimizer_(trained_groups(model, options), optimizer_options(options), ranks_),
      buckets_(options.shard_weights ? std::vector<Tensor>() : parameters_by_layer(optimizer_.groups()), ranks_) {
  if (options.shard_weights) dealt_ = dealt_layers_of(model, options, optimizer_, ranks_);
  if (adapted_ || !options.keeps_reference) return;
  for (const Tensor& parameter : parameters())
    frozen_.push_back(parameter.detach().to(at::kCPU, /*non_blocking=*/false, /*copy=*/true));
}

std::vector<Tensor> TrainedPolicy::parameters() const {
  std::vector<Tensor> tensors;
  for (const NamedTensor& parameter : all_parameters(optimizer_.groups())) tensors.push_back(parameter.tensor);
  return tensors;
}

void TrainedPolicy::gather_weights() {
  if (dealt_) dealt_->gather();
}

void TrainedPolicy::deal_weights() {
  if (dealt_) dealt_->deal();
}

StepReport TrainedPolicy::step(double learning_rate_scale) {
  buckets_.finish();
  StepReport report = optimizer_.step(learning_rate_scale);
  optimizer_.release_gradients();
  if (adapted_ && report.applied) report_merged(merge_adapters(model_), report.groups);
  return report;
}

void TrainedPolicy::show_reference() {
  shows_reference_ = true;
  if (adapted_)
    unmerge_adapters(model_);
  else
    exchange_frozen();
}

void TrainedPolicy::show_policy() {
  if (adapted_)
    merge_adapters(model_);
  else
    exchange_frozen();
  shows_reference_ = false;
}

void TrainedPolicy::exchange_frozen() {
  const at::NoGradGuard no_grad;
  const std::vector<Tensor> live = parameters();
  TORCH_CHECK(frozen_.size() == live.size(), "this policy keeps no reference");
  for (size_t i = 0; i < live.size(); ++i) {
    const Tensor kept = live[i].detach().clone();
    live[i].copy_(frozen_[i]);
    frozen_[i].copy_(kept);
  }
}

ReferenceInPlace::~ReferenceInPlace() {
  try {
    policy_.show_policy();
  } catch (const std::exception& error) {
    // No place to throw from; TrainedPolicy::intact() tells.
    log_warning(cat("the policy could not be put back in the place of the reference: ", error.what()));
  }
}

void TrainedPolicy::take_reference(Bagel& other) {
  if (adapted_)
    throw Error(ExitCode::config, {"reference", "none with lora.rank above 0: the model without adapters is it",
                                   "another model folder", ""});
  const auto refuse = [](const std::string& name, const char* what) {
    throw Error(ExitCode::model, {"reference", "a model that differs from `model` in trained weights alone",
                                  cat(what, " of ", name), "which weights train is train.parameters"});
  };
  std::map<std::string, Tensor*> trained;
  const std::vector<NamedTensor> all = all_parameters(optimizer_.groups());
  for (size_t i = 0; i < all.size(); ++i) trained[all[i].name] = &frozen_.at(i);
  const std::vector<ParameterSlot> own = transformer_slots(model_), others = transformer_slots(other);
  for (size_t i = 0; i < own.size(); ++i) {
    if (i >= others.size() || others[i].name != own[i].name || others[i].tensor->sizes() != own[i].tensor->sizes())
      refuse(own[i].name, "another shape, or none,");
    const Tensor theirs = others[i].tensor->detach().to(at::kCPU);
    if (const auto found = trained.find(own[i].name); found != trained.end())
      found->second->copy_(theirs);
    else if (!at::equal(own[i].tensor->detach().to(at::kCPU), theirs))
      refuse(own[i].name, "another value");
  }
}

void TrainedPolicy::restored() {
  if (adapted_) merge_adapters(model_);
}

}  // namespace diptych
