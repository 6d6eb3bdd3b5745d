#pragma once
// Model folders in BAGEL's layout: config files, tokenizer, ema.safetensors, ae.safetensors.

#include <filesystem>

#include "diptych/model/bagel.h"
#include "diptych/model/initialise.h"
#include "diptych/text/tokenizer.h"

namespace diptych {

struct ModelFolder {
  Bagel model;
  Tokenizer tokenizer;
};

/** Loads a folder onto a device; weights are converted to `dtype` (the autoencoder to float32, or float64 if that is
 *  asked). Beside the weights themselves, host memory holds one tensor at a time. Throws one Error(model) that lists
 *  every missing, extra and misshapen tensor of a weight file, before any weight is read; Error(internal) if fused
 * layers of the device compute something else than they should (kernel_check.h). */
ModelFolder load_model_folder(const std::filesystem::path& folder, at::ScalarType dtype = at::kFloat,
                              at::Device device = at::kCPU);

/** Writes ema.safetensors (bfloat16 but for the two position tables if `compact`, else float32) and ae.safetensors,
 * then the config files. Tokenizer files are copied from `tokenizer_folder` unless it is the same folder. Throws
 * Error(io), before anything is written if the disk has too little space. */
void save_model_folder(const std::filesystem::path& folder, Bagel& model, const std::filesystem::path& tokenizer_folder,
                       bool compact);

/** The same with weights that `source` makes, one at a time in the order of the files; the slots of the model say their
 *  names and shapes alone. */
void save_model_folder(const std::filesystem::path& folder, Bagel& model, const WeightSource& source,
                       const std::filesystem::path& tokenizer_folder, bool compact);

/** Every slot of the model converted to dtype, in place. */
void convert(Bagel& model, at::ScalarType dtype);

/** The ids of the four markers. */
SpecialTokens special_tokens(const Tokenizer& tokenizer);

}  // namespace diptych
