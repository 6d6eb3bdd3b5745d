#pragma once
// Which files of a model folder hold its weights, and the tensors of a part of the model in them.

#include <vector>

#include "diptych/io/safetensors.h"
#include "diptych/model/config/model_config.h"

namespace diptych {

/** Tensors of one file, or of the shards that an index lists. The bytes live as long as the object. */
class StoredWeights {
 public:
  /** `file`: a .safetensors file, or an index of such files beside it, X.safetensors.index.json. Reads headers alone.
   *  Throws Error(model) as SafetensorsFile, for an index that is none, and for a tensor that is in two shards. */
  static StoredWeights open(const std::filesystem::path& file);

  const std::map<std::string, StoredTensor>& tensors() const { return tensors_; }
  /** The file, or the index. */
  const std::filesystem::path& path() const { return path_; }
  /** Names in the order of their bytes, one file after the other. */
  std::vector<std::string> names_in_file_order() const;
  /** As SafetensorsFile::release. */
  void release(const StoredTensor& tensor) const { files_.front().release(tensor); }

  /** Leaves out the tensors of the autoencoder, or all others. */
  void keep_autoencoder(bool kept);

  /** Where the configuration says that the text head is the word embedding, makes the embedding's bytes the head's.
   *  Throws Error(model) if there is another head, since either could be meant. */
  void tie_head(const ModelConfig& config);

 private:
  std::filesystem::path path_;
  std::vector<SafetensorsFile> files_;
  std::map<std::string, StoredTensor> tensors_;
};

/** The transformer's weights: ema.safetensors, as BAGEL is published. Where it is missing, its shards
 *  (ema.safetensors.index.json), model.safetensors or its shards take its place, and a line of the log says so. Throws
 *  Error(model), with the weight files that are there if none of these is. */
StoredWeights open_transformer_weights(const std::filesystem::path& folder);

/** The autoencoder's weights: ae.safetensors; where it is missing, what the transformer's files hold of them. */
StoredWeights open_autoencoder_weights(const std::filesystem::path& folder);

/** All files that these two read, in the order of their names; none that is missing. */
std::vector<std::filesystem::path> weight_files(const std::filesystem::path& folder);

}  // namespace diptych
