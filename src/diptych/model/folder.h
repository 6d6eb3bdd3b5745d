#pragma once
// Model folders in BAGEL's layout: config files, tokenizer, ema.safetensors, ae.safetensors.

#include <filesystem>

#include "diptych/model/bagel.h"
#include "diptych/text/tokenizer.h"

namespace diptych {

struct ModelFolder {
  Bagel model;
  Tokenizer tokenizer;
};

/** Loads a folder; weights are converted to `dtype` (the autoencoder to float32, or float64 if that is asked) on the
 *  CPU. Throws one Error(model) that lists every missing, extra and misshapen tensor. */
ModelFolder load_model_folder(const std::filesystem::path& folder, at::ScalarType dtype = at::kFloat);

/** Fills the slots from a file, by name and shape. Throws one Error(model) that lists every difference. */
void load_slots(const std::filesystem::path& file, const std::vector<ParameterSlot>& slots, at::ScalarType dtype);

/** Writes ema.safetensors (bfloat16 but for the two position tables if `compact`, else float32) and ae.safetensors,
 * then the config files. Tokenizer files are copied from `tokenizer_folder` unless it is the same folder. */
void save_model_folder(const std::filesystem::path& folder, Bagel& model, const std::filesystem::path& tokenizer_folder,
                       bool compact);

/** Weights for a new model: normal with standard deviation 1 / sqrt(fan in), embeddings 0.02, norms 1, biases 0, the
 *  generation expert a copy of the understanding expert, the velocity head zero (bagel.md 3, 6). Every draw is
 * addressed by the seed and the number of the tensor. */
void initialise(Bagel& model, uint64_t seed);

/** Every slot of the model converted to dtype, in place. */
void convert(Bagel& model, at::ScalarType dtype);

/** The ids of the four markers. */
SpecialTokens special_tokens(const Tokenizer& tokenizer);

}  // namespace diptych
