#pragma once
// Model folders in BAGEL's layout: config files, tokenizer, ema.safetensors, ae.safetensors or what weight_files.h
// reads in their place.

#include <filesystem>
#include <functional>

#include "diptych/model/bagel/bagel.h"
#include "diptych/model/folder/initialise.h"
#include "diptych/text/tokenizer.h"

namespace diptych {

struct ModelFolder {
  Bagel model;
  Tokenizer tokenizer;
};

/** Loads a folder onto a device; weights are converted to `dtype` (the autoencoder to float32, or float64 if that is
 *  asked). Beside the weights themselves, host memory holds one tensor at a time. Throws one Error(model) that lists
 *  every missing, extra and misshapen tensor of a weight file, before any weight is read; the sides of the position
 *  tables are those of the file, whatever config.json says (with_stored_tables). A text head that is the word embedding
 *  (tie_word_embeddings) becomes a tensor of its own. Error(memory) before any weight is read if they do not fit into
 *  memory with the bytes that `kept_beside` says the caller will keep there (require_room_for). Error(internal) if
 * fused layers of the device compute something else than they should (kernel_check.h). */
ModelFolder load_model_folder(const std::filesystem::path& folder, at::ScalarType dtype = at::kFloat,
                              at::Device device = at::kCPU,
                              const std::function<int64_t(const ModelConfig&)>& kept_beside = nullptr);

/** Throws Error(memory), which names need and space, if the weights of a model and what is kept beside them, in bytes,
 * do not fit into the host's memory, where those of a model on the CPU lie. Of the model only shapes are used. `name`:
 * of the model, for the message. */
void require_room_for(Bagel& model, const std::string& name, at::ScalarType dtype, at::Device device,
                      int64_t kept_beside = 0);

/** Writes ema.safetensors and ae.safetensors in the dtypes of stored_dtype(), then all that shall make the folder take
 *  the place of `base`, the folder that the model came from: every file of it up to 64 MiB that holds no weights, byte
 *  for byte, but for model.safetensors.index.json, which is written anew. Only where the model has another
 * configuration than `base` states are its keys set in the config files. `base` may be `folder` itself. Throws
 * Error(model) if `base` is gone and Error(io), before anything is written if the disk has too little space. */
void save_model_folder(const std::filesystem::path& folder, Bagel& model, const std::filesystem::path& base,
                       bool compact);

/** The same with weights that `source` makes, one at a time in the order of the files; the slots of the model say their
 *  names and shapes alone. An empty `base` is none: config files and index are written from nothing. */
void save_model_folder(const std::filesystem::path& folder, Bagel& model, const WeightSource& source,
                       const std::filesystem::path& base, bool compact);

/** What save_model_folder stores a weight as: bfloat16 if `compact`, else float32; position tables and the autoencoder
 *  are always float32. */
at::ScalarType stored_dtype(const std::string& weight, bool compact);

/** Every slot of the model converted to dtype, in place. */
void convert(Bagel& model, at::ScalarType dtype);

/** The ids of the four markers. */
SpecialTokens special_tokens(const Tokenizer& tokenizer);

}  // namespace diptych
