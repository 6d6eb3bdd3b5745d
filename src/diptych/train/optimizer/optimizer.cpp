#include "diptych/train/optimizer/optimizer.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <set>
#include <utility>

#include "diptych/base/error.h"
#include "diptych/base/text_format.h"
#include "diptych/tensor/packs.h"
#include "diptych/train/optimizer/trainable.h"

namespace diptych {

namespace {

constexpr double kNormEpsilon = 1e-6;  // of torch.nn.utils.clip_grad_norm_

Tensor norm_of(const Tensor& gradient) {
  const at::ScalarType type = gradient.scalar_type() == at::kDouble ? at::kDouble : at::kFloat;  // of the sum
  return at::linalg_vector_norm(gradient, 2, std::nullopt, /*keepdim=*/false, type).to(at::kDouble);
}

/** The L2 norm of every gradient, in one transfer from the device. Undefined gradients have norm 0. */
std::vector<std::vector<double>> gradient_norms(const std::vector<ParameterGroup>& groups) {
  const std::vector<NamedTensor> parameters = all_parameters(groups);
  std::vector<Tensor> norms(parameters.size());
  const at::Device device = parameters.front().tensor.device();
  for_each_pack(device, static_cast<int64_t>(parameters.size()), [&](int64_t i) {
    const Tensor& parameter = parameters[static_cast<size_t>(i)].tensor;
    norms[static_cast<size_t>(i)] =
        parameter.grad().defined() ? norm_of(parameter.grad()) : at::zeros({}, parameter.options().dtype(at::kDouble));
  });
  const Tensor on_host = at::stack(norms).cpu();
  const double* next = on_host.const_data_ptr<double>();
  std::vector<std::vector<double>> result;
  for (const ParameterGroup& group : groups) {
    result.emplace_back(next, next + group.parameters.size());
    next += group.parameters.size();
  }
  return result;
}

double norm_of(const std::vector<double>& norms) {
  double sum = 0;
  for (double norm : norms) sum += norm * norm;
  return std::sqrt(sum);
}

double clip_coefficient(double norm, double max_norm) {
  return max_norm > 0 ? std::min(1.0, max_norm / (norm + kNormEpsilon)) : 1.0;
}

bool has_own_precision(const Tensor& parameter) {
  return parameter.scalar_type() == at::kFloat || parameter.scalar_type() == at::kDouble;
}

std::string shape_text(const Tensor& tensor) {
  return cat(tensor.scalar_type(), " [", join(tensor.sizes(), ", "), "]");
}

/** One line for every difference between the expected and the given tensors. */
std::vector<std::string> differences(const std::vector<NamedTensor>& expected,
                                     const std::map<std::string, Tensor>& given) {
  std::vector<std::string> lines;
  std::set<std::string> known;
  for (const auto& [name, tensor] : expected) {
    known.insert(name);
    const auto found = given.find(name);
    if (found == given.end()) {
      lines.push_back(cat("missing ", name));
    } else if (found->second.sizes() != tensor.sizes() || found->second.scalar_type() != tensor.scalar_type()) {
      lines.push_back(cat(name, " is ", shape_text(found->second), ", not ", shape_text(tensor)));
    }
  }
  for (const auto& [name, tensor] : given) {
    if (!known.contains(name)) lines.push_back(cat("extra ", name));
  }
  return lines;
}

}  // namespace

std::vector<int> owners_of(const std::vector<NamedTensor>& parameters, int world) {
  std::vector<size_t> order(parameters.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::stable_sort(order.begin(), order.end(),
                   [&](size_t a, size_t b) { return parameters[a].tensor.numel() > parameters[b].tensor.numel(); });
  std::vector<int64_t> load(static_cast<size_t>(world));
  std::vector<int> owners(parameters.size());
  for (const size_t i : order) {
    const auto least = std::min_element(load.begin(), load.end());
    owners[i] = static_cast<int>(least - load.begin());
    *least += parameters[i].tensor.numel();
  }
  return owners;
}

AdamW::AdamW(std::vector<ParameterGroup> groups, const AdamWOptions& options, ProcessGroup& ranks)
    : groups_(std::move(groups)), options_(options), ranks_(ranks) {
  TORCH_CHECK(!groups_.empty(), "the optimizer has no parameter groups");
  std::set<std::string> names;
  const std::vector<int> owners = owners_of(all_parameters(groups_), ranks.world());
  auto owner = owners.begin();
  for (const ParameterGroup& group : groups_) {
    TORCH_CHECK(!group.parameters.empty(), "parameter group '", group.name, "' is empty");
    std::vector<State>& states = states_.emplace_back();
    for (const auto& [name, tensor] : group.parameters) {
      TORCH_CHECK(names.insert(name).second, "parameter '", name, "' is in the optimizer twice");
      TORCH_CHECK(tensor.is_leaf() && tensor.requires_grad(), "parameter '", name, "' is not a trainable leaf");
      TORCH_CHECK(has_own_precision(tensor) || tensor.scalar_type() == at::kBFloat16, "parameter '", name,
                  "' must be fp32, fp64 or bf16, not ", tensor.scalar_type());
      TORCH_CHECK(tensor.is_contiguous(), "parameter '", name, "' is not contiguous");
      State& state = states.emplace_back();
      state.owner = *owner++;
      state.master = has_own_precision(tensor) || !owns(state) ? tensor : tensor.detach().to(at::kFloat);
      if (!owns(state) || !options.updates) continue;
      state.exp_avg = at::zeros_like(state.master);
      state.exp_avg_sq = at::zeros_like(state.master);
    }
  }
}

StepReport AdamW::step(double learning_rate_scale) {
  TORCH_CHECK(options_.updates, "this optimizer has no moments");
  const at::NoGradGuard no_grad;
  check_sums();
  std::vector<std::vector<double>> norms = gradient_norms(groups_);
  if (options_.dealt) join_norms(norms);

  StepReport report;
  std::vector<double> group_norms;
  for (size_t group = 0; group < groups_.size(); ++group) {
    group_norms.push_back(norm_of(norms[group]));
    for (size_t i = 0; i < norms[group].size(); ++i) {
      if (!std::isfinite(norms[group][i])) report.non_finite.push_back(groups_[group].parameters[i].name);
    }
  }
  report.grad_norm = norm_of(group_norms);
  for (size_t group = 0; group < groups_.size(); ++group) {
    const bool joint = options_.joint_max_grad_norm > 0;
    const double coefficient = joint ? clip_coefficient(report.grad_norm, options_.joint_max_grad_norm)
                                     : clip_coefficient(group_norms[group], groups_[group].max_grad_norm);
    report.groups.push_back(
        {.name = groups_[group].name, .grad_norm = group_norms[group], .clip_coefficient = coefficient});
  }
  if (!report.non_finite.empty()) return report;

  intact_ = false;
  ++step_count_;
  for (size_t group = 0; group < groups_.size(); ++group) {
    report.groups[group] =
        update_group(group, groups_[group].learning_rate * learning_rate_scale, report.groups[group]);
  }
  intact_ = true;
  report.applied = true;
  return report;
}

// Each is known to its owner, and 0 elsewhere.
void AdamW::join_norms(std::vector<std::vector<double>>& norms) {
  for (std::vector<double>& group : norms) {
    const Tensor all = at::tensor(group, at::kDouble);
    ranks_.all_reduce_sum(all, "norms of gradients");
    std::copy_n(all.const_data_ptr<double>(), group.size(), group.begin());
  }
}

GroupStepReport AdamW::update_group(size_t group_index, double learning_rate, const GroupStepReport& norms) {
  const std::vector<NamedTensor>& parameters = groups_[group_index].parameters;
  // sqrt(v / (1 - beta2^t)) < epsilon, solved for v.
  const double small_second_moment =
      options_.epsilon * options_.epsilon * (1 - std::pow(options_.beta2, static_cast<double>(step_count_)));
  const at::TensorOptions on_device = parameters.front().tensor.options();
  const Tensor step = at::full({}, static_cast<double>(step_count_), on_device.dtype(at::kFloat));
  std::vector<Tensor> changed(parameters.size()), below_epsilon(parameters.size());
  // Most parameters are small: one a thread.
  for_each_pack(on_device.device(), static_cast<int64_t>(parameters.size()), [&](int64_t number) {
    const auto i = static_cast<size_t>(number);
    const Tensor& parameter = parameters[i].tensor;
    const auto& [owner, master, exp_avg, exp_avg_sq] = states_[group_index][i];
    if (!owns(states_[group_index][i])) {
      changed[i] = below_epsilon[i] = at::zeros({}, on_device.dtype(at::kLong));
      return;
    }
    // The fused kernel walks memory in order, whatever the strides.
    const Tensor gradient =
        parameter.grad().defined() ? parameter.grad().to(master.scalar_type()).contiguous() : at::zeros_like(master);
    if (norms.clip_coefficient < 1) gradient.mul_(norms.clip_coefficient);
    const Tensor before = parameter.clone();
    at::_fused_adamw_({master}, {gradient}, {exp_avg}, {exp_avg_sq}, /*max_exp_avg_sqs=*/{}, {step}, learning_rate,
                      options_.beta1, options_.beta2, options_.weight_decay, options_.epsilon, /*amsgrad=*/false,
                      /*maximize=*/false);
    if (!master.is_same(parameter)) parameter.copy_(master);
    changed[i] = (parameter != before).sum();
    below_epsilon[i] = (exp_avg_sq < small_second_moment).sum();
  });
  send_updates(group_index);
  int64_t weights = 0;
  for (const NamedTensor& parameter : parameters) weights += parameter.tensor.numel();
  const auto share = [&](const std::vector<Tensor>& counts) {
    const Tensor total = at::stack(counts).sum().reshape({1});
    ranks_.all_reduce_sum(total, "counts of changed weights");
    return static_cast<double>(total.item<int64_t>()) / static_cast<double>(weights);
  };

  GroupStepReport report = norms;
  report.changed_share = share(changed);
  report.below_epsilon_share = share(below_epsilon);
  return report;
}

void AdamW::send_updates(size_t group_index) {
  if (ranks_.world() == 1 || options_.dealt) return;
  std::vector<Tensor> tensors;
  std::vector<int> owners;
  for (size_t i = 0; i < states_[group_index].size(); ++i) {
    tensors.push_back(groups_[group_index].parameters[i].tensor.detach());
    owners.push_back(states_[group_index][i].owner);
  }
  ranks_.broadcast(tensors, owners, "updated weights");
}

void AdamW::clear_gradients() {
  for (size_t group = 0; group < groups_.size(); ++group) {
    for (size_t i = 0; i < states_[group].size(); ++i) {
      const Tensor& tensor = groups_[group].parameters[i].tensor;
      const bool starts_undefined =
          has_own_precision(tensor) || options_.bfloat16_gradients || (options_.dealt && !owns(states_[group][i]));
      tensor.mutable_grad() = starts_undefined
                                  ? Tensor()
                                  : at::zeros(tensor.sizes(), tensor.options().dtype(at::kFloat).requires_grad(false));
    }
  }
}

void AdamW::check_sums() const {
  if (options_.bfloat16_gradients) return;
  for (const NamedTensor& parameter : all_parameters(groups_)) {
    const Tensor& gradient = parameter.tensor.grad();
    TORCH_CHECK(!gradient.defined() || gradient.scalar_type() != at::kBFloat16, "gradients of '", parameter.name,
                "' were summed in bfloat16: clear_gradients() must come before them");
  }
}

void AdamW::release_gradients() {
  for (const NamedTensor& parameter : all_parameters(groups_)) Tensor(parameter.tensor).mutable_grad() = Tensor();
}

std::map<std::string, int> AdamW::owners() const {
  std::map<std::string, int> owners;
  for (size_t group = 0; group < groups_.size(); ++group)
    for (size_t i = 0; i < states_[group].size(); ++i)
      owners[groups_[group].parameters[i].name] = states_[group][i].owner;
  return owners;
}

std::vector<NamedTensor> AdamW::master_weights() const {
  std::vector<NamedTensor> masters;
  for (size_t group = 0; group < groups_.size(); ++group)
    for (size_t i = 0; i < states_[group].size(); ++i)
      masters.push_back({groups_[group].parameters[i].name, states_[group][i].master});
  return masters;
}

std::vector<NamedTensor> AdamW::owned_master_weights() const {
  std::vector<NamedTensor> owned;
  for (size_t group = 0; group < groups_.size(); ++group)
    for (size_t i = 0; i < states_[group].size(); ++i)
      if (owns(states_[group][i])) owned.push_back({groups_[group].parameters[i].name, states_[group][i].master});
  return owned;
}

void AdamW::round_masters() {
  const at::NoGradGuard no_grad;
  for (size_t group = 0; group < groups_.size(); ++group) {
    for (size_t i = 0; i < states_[group].size(); ++i) {
      const Tensor& parameter = groups_[group].parameters[i].tensor;
      if (!states_[group][i].master.is_same(parameter)) Tensor(parameter).copy_(states_[group][i].master);
    }
  }
}

std::vector<NamedTensor> AdamW::optimizer_state() const {
  std::vector<NamedTensor> state;
  if (ranks_.rank() == 0) state.push_back({"step", at::full({1}, step_count_, at::kLong)});
  for (size_t group = 0; group < groups_.size(); ++group) {
    for (size_t i = 0; i < states_[group].size(); ++i) {
      if (!owns(states_[group][i])) continue;
      const std::string& name = groups_[group].parameters[i].name;
      state.push_back({cat("exp_avg/", name), states_[group][i].exp_avg});
      state.push_back({cat("exp_avg_sq/", name), states_[group][i].exp_avg_sq});
    }
  }
  return state;
}

// Names and shapes of what optimizer_state() of all ranks holds together.
std::vector<NamedTensor> AdamW::expected_state() const {
  std::vector<NamedTensor> expected = {
      {"step", at::empty({1}, at::TensorOptions().dtype(at::kLong).device(at::kMeta))}};
  for (const NamedTensor& parameter : all_parameters(groups_)) {
    const at::ScalarType type = has_own_precision(parameter.tensor) ? parameter.tensor.scalar_type() : at::kFloat;
    const Tensor moment = at::empty(parameter.tensor.sizes(), at::TensorOptions().dtype(type).device(at::kMeta));
    expected.push_back({cat("exp_avg/", parameter.name), moment});
    expected.push_back({cat("exp_avg_sq/", parameter.name), moment});
  }
  return expected;
}

void AdamW::load_optimizer_state(const std::map<std::string, Tensor>& state) {
  const at::NoGradGuard no_grad;
  const std::vector<std::string> lines = differences(expected_state(), state);
  if (!lines.empty()) {
    throw Error(ExitCode::model, {.where = "optimizer state",
                                  .expected = "the moments of the trained parameters and nothing else",
                                  .got = join(lines, "; "),
                                  .hint = "what trains must not change between a run and its continuation"});
  }
  for (const auto& [name, tensor] : optimizer_state()) {
    if (name != "step") tensor.copy_(state.at(name));
  }
  step_count_ = state.at("step").item<int64_t>();
}

double warmup_scale(int64_t step, int64_t warmup_steps) {
  if (step + 1 >= warmup_steps) return 1;
  return static_cast<double>(step + 1) / static_cast<double>(warmup_steps);
}

}  // namespace diptych
