#pragma once
// LoRA: low-rank adapters in front of frozen linears of the decoder.
//
// A linear's weight is always the merged one, so rollout and training run the same product at the speed of a plain one.
// The frozen weight waits in the host's memory, where the next merge and the reference policy read it: on the device it
// would be a second decoder. What trains is the adapters alone.

#include <map>
#include <string>
#include <vector>

#include "diptych/model/bagel/bagel.h"

namespace diptych {

struct AdapterOptions {
  int64_t rank = 0;
  double alpha = 0;                  // scale = alpha / rank
  std::vector<std::string> targets;  // shell patterns of names of linears; "!" excludes
};

/** Gives every matching linear of the decoder an adapter whose product is 0: down is normal with standard deviation
 *  1 / rank (PEFT's init_lora_weights="gaussian"), addressed by seed and the linear's name; up is 0. Returns the
 *  trainable tensors as NAME.lora_A.weight and NAME.lora_B.weight, float32, on the weights' device. Those of a
 *  model on the meta device have no values. Throws Error(config) for a pattern that matches nothing and for a rank
 * above the smaller side of a weight. */
std::vector<ParameterSlot> attach_adapters(Bagel& model, const AdapterOptions& options, uint64_t seed);

/** base + scale * up down, computed in float32 on the device of the factors and rounded once to the dtype of `base`. */
Tensor merged_weight(const Tensor& base, const Tensor& up, const Tensor& down, double scale);

/** What a merge did to the weight of one linear. */
struct MergedLinear {
  std::string name;
  Tensor changed;  // int64 scalar on the weight's device: how many of its values are other ones than before
  int64_t weights = 0;
};

/** The weight of every linear with an adapter becomes the merged one; after each update. */
std::vector<MergedLinear> merge_adapters(Bagel& model);

/** The weight of every linear with an adapter becomes the frozen one: the model without its adapters, until the next
 *  merge_adapters(). */
void unmerge_adapters(Bagel& model);

/** Of each expert, "und" or "gen", the L2 norm of what rounding the merged weights leaves out of the adapters' change,
 * as a share of the change's. An expert that has not changed is left out. */
std::map<std::string, double> rounded_away(Bagel& model);

/** Every linear of the decoder that has an adapter. */
std::vector<NamedLinear> adapted_linears(Bagel& model);

/** What PEFT calls an adapter's factor, "lora_A" (down) or "lora_B" (up), of a linear of that name. */
std::string peft_name(const std::string& linear, const std::string& factor);

/** Writes PEFT's folder: adapter_model.safetensors with base_model.model.NAME.lora_A.weight and lora_B.weight, and
 *  adapter_config.json. `base`: what base_model_name_or_path says. Throws Error(io). */
void save_adapters(const std::filesystem::path& folder, Bagel& model, const AdapterOptions& options,
                   const std::string& base);

}  // namespace diptych
