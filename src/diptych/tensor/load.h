#pragma once
// Tensors from and to safetensors files.

#include "diptych/tensor/torch.h"

#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "diptych/io/safetensors.h"
#include "diptych/tensor/named_tensor.h"

namespace diptych {

/** The at::ScalarType of a safetensors dtype (F64, F32, F16, BF16, I64, I32, U8, BOOL); nothing for any other. */
std::optional<at::ScalarType> scalar_type_of(const std::string& dtype);

/** A CPU copy of a stored tensor, same dtype and shape, that outlives the file. Throws Error(model) for a dtype that
 *  scalar_type_of does not know, and for a BOOL that is neither 0 nor 1. */
Tensor to_tensor(const StoredTensor& stored);

/** The safetensors dtype of a scalar type. TORCH_CHECKs that there is one. */
std::string dtype_of(at::ScalarType type);

/** A stored tensor converted to `dtype` on `device`, in memory of its own. It is read from the file as it is converted:
 *  no copy in the stored dtype is made in host memory. Throws as to_tensor above. */
Tensor to_tensor(const StoredTensor& stored, at::ScalarType dtype, at::Device device);

/** All tensors of a file as CPU copies. If `path` does not exist, the parts `path`.0, `path`.1, ... or NAME.0.EXT,
 *  NAME.1.EXT, ... (for `path` = NAME.EXT) are read as one set. Throws Error(model) if neither is there, if a file is
 *  damaged, or if two parts hold the same name. */
std::map<std::string, Tensor> load_tensors(const std::filesystem::path& path);

/** The same, but read from the files as they are used, so that processes which use other tensors, or the same ones,
 * share one copy in memory. Not to be written to. The files may be removed meanwhile, but not changed in place. */
std::map<std::string, Tensor> map_tensors(const std::filesystem::path& path);

/** Writes tensors of any device and layout, in the given order. Throws Error(io); TORCH_CHECKs that every dtype has a
 *  safetensors name. */
void save_tensors(const std::filesystem::path& path, const std::vector<NamedTensor>& tensors,
                  const std::map<std::string, std::string>& metadata = {});

}  // namespace diptych
