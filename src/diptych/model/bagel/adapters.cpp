#include "diptych/model/bagel/adapters.h"

#include <array>
#include <cmath>
#include <nlohmann/json.hpp>

#include "diptych/base/error.h"
#include "diptych/base/name_patterns.h"
#include "diptych/base/text_format.h"
#include "diptych/io/files.h"
#include "diptych/tensor/load.h"
#include "diptych/tensor/random.h"

namespace diptych {

std::vector<NamedLinear> adapted_linears(Bagel& model) {
  std::vector<NamedLinear> adapted = decoder_linears(model.decoder);
  std::erase_if(adapted, [](const NamedLinear& linear) { return linear.layer->adapter == nullptr; });
  return adapted;
}

std::string peft_name(const std::string& linear, const std::string& factor) {
  return cat("base_model.model.", linear, ".", factor, ".weight");
}

Tensor merged_weight(const Tensor& base, const Tensor& up, const Tensor& down, double scale) {
  // In two steps: what crosses between host and device has its narrow dtype then.
  const Tensor sum = base.to(up.device()).to(at::kFloat, /*non_blocking=*/false, /*copy=*/true);
  return sum.addmm_(up, down, /*beta=*/1, scale).to(base.scalar_type());
}

std::vector<ParameterSlot> attach_adapters(Bagel& model, const AdapterOptions& options, uint64_t seed) {
  const std::vector<NamedLinear> linears = decoder_linears(model.decoder);
  std::vector<std::string> names;
  for (const NamedLinear& linear : linears) names.push_back(linear.name);
  std::vector<ParameterSlot> slots;
  for (const size_t place : matching_names(names, options.targets, "lora.targets")) {
    Linear& layer = *linears[place].layer;
    const int64_t out = layer.weight.size(0), in = layer.weight.size(1);
    if (options.rank < 1 || options.rank > std::min(in, out))
      throw Error(ExitCode::config,
                  {"lora.rank", cat("1 to ", std::min(in, out), ", the smaller side of ", names[place]),
                   cat(options.rank), "leave that weight out with a pattern that begins with \"!\""});
    const StreamKey key{.seed = seed, .purpose = Purpose::adapters, .position = place};
    const at::TensorOptions precise = layer.weight.options().dtype(at::kFloat);
    layer.adapter = std::make_shared<Adapter>();
    layer.adapter->down =
        layer.weight.is_meta()
            ? at::empty({options.rank, in}, precise)
            : normal_tensor(key, {options.rank, in}).div(static_cast<double>(options.rank)).to(precise);
    layer.adapter->up = at::zeros({out, options.rank}, precise);
    layer.adapter->scale = options.alpha / static_cast<double>(options.rank);
    layer.adapter->base = layer.weight.is_meta() ? layer.weight : layer.weight.to(at::kCPU);
    if (layer.weight.is_cpu()) layer.weight = layer.weight.clone();
    slots.push_back({names[place] + ".lora_A.weight", &layer.adapter->down});
    slots.push_back({names[place] + ".lora_B.weight", &layer.adapter->up});
  }
  return slots;
}

std::vector<MergedLinear> merge_adapters(Bagel& model) {
  const at::NoGradGuard no_grad;
  std::vector<MergedLinear> report;
  for (const NamedLinear& linear : adapted_linears(model)) {
    const Adapter& adapter = *linear.layer->adapter;
    const Tensor merged = merged_weight(adapter.base, adapter.up, adapter.down, adapter.scale);
    report.push_back({linear.name, (merged != linear.layer->weight).sum(), merged.numel()});
    linear.layer->weight.copy_(merged);
  }
  return report;
}

void unmerge_adapters(Bagel& model) {
  const at::NoGradGuard no_grad;
  for (const NamedLinear& linear : adapted_linears(model)) linear.layer->weight.copy_(linear.layer->adapter->base);
}

std::map<std::string, double> rounded_away(Bagel& model) {
  const at::NoGradGuard no_grad;
  std::map<std::string, std::array<double, 2>> squares;  // of what is left out, of the change
  for (const NamedLinear& linear : adapted_linears(model)) {
    const Adapter& adapter = *linear.layer->adapter;
    const Tensor change = at::mm(adapter.up, adapter.down).mul_(adapter.scale);
    const Tensor made = linear.layer->weight.to(at::kFloat) - adapter.base.to(change.device()).to(at::kFloat);
    const auto square = [](const Tensor& tensor) { return tensor.square().sum(at::kDouble).item<double>(); };
    auto& [left_out, whole] = squares[linear.name.find("moe_gen") == std::string::npos ? "und" : "gen"];
    left_out += square(made - change);
    whole += square(change);
  }
  std::map<std::string, double> shares;
  for (const auto& [expert, sums] : squares)
    if (sums[1] > 0) shares[expert] = std::sqrt(sums[0] / sums[1]);
  return shares;
}

void save_adapters(const std::filesystem::path& folder, Bagel& model, const AdapterOptions& options,
                   const std::string& base) {
  make_folder(folder);
  std::vector<NamedTensor> tensors;
  std::vector<std::string> targets;
  for (const NamedLinear& linear : adapted_linears(model)) {
    tensors.push_back({peft_name(linear.name, "lora_A"), linear.layer->adapter->down});
    tensors.push_back({peft_name(linear.name, "lora_B"), linear.layer->adapter->up});
    targets.push_back(linear.name);
  }
  save_tensors(folder / "adapter_model.safetensors", tensors, {{"format", "pt"}});
  const nlohmann::ordered_json config{{"peft_type", "LORA"},
                                      {"task_type", nullptr},
                                      {"base_model_name_or_path", base},
                                      {"r", options.rank},
                                      {"lora_alpha", options.alpha},
                                      {"lora_dropout", 0.0},
                                      {"bias", "none"},
                                      {"fan_in_fan_out", false},
                                      {"use_rslora", false},
                                      {"use_dora", false},
                                      {"rank_pattern", nlohmann::ordered_json::object()},
                                      {"alpha_pattern", nlohmann::ordered_json::object()},
                                      {"init_lora_weights", "gaussian"},
                                      {"inference_mode", true},
                                      {"modules_to_save", nullptr},
                                      {"target_modules", targets}};
  write_file_atomic(folder / "adapter_config.json", config.dump(2) + "\n");
}

}  // namespace diptych
