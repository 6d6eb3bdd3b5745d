#include "diptych/tensor/load.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <functional>
#include <utility>

#include "diptych/base/error.h"
#include "diptych/base/text_format.h"
#include "diptych/tensor/tensor_writer.h"

namespace diptych {

namespace fs = std::filesystem;

namespace {

constexpr std::array<std::pair<const char*, at::ScalarType>, 8> kDtypes = {{{"F64", at::kDouble},
                                                                            {"F32", at::kFloat},
                                                                            {"F16", at::kHalf},
                                                                            {"BF16", at::kBFloat16},
                                                                            {"I64", at::kLong},
                                                                            {"I32", at::kInt},
                                                                            {"U8", at::kByte},
                                                                            {"BOOL", at::kBool}}};

/** Whether the bytes can be read in place as numbers of that type. */
bool is_viewable(const StoredTensor& stored, at::ScalarType type) {
  // A file may hold tensors at odd offsets, and truths that are neither 0 nor 1.
  const bool aligned = reinterpret_cast<uintptr_t>(stored.bytes.data()) % c10::elementSize(type) == 0;
  return aligned && type != at::kBool && !stored.bytes.empty();
}

/** The files NAME.0EXT, NAME.1EXT, ... that exist, up to the first gap. */
std::vector<fs::path> existing_parts(const fs::path& name, const std::string& extension) {
  std::vector<fs::path> parts;
  while (true) {
    fs::path part = name;
    part += cat('.', parts.size(), extension);
    if (!fs::exists(part)) return parts;
    parts.push_back(part);
  }
}

std::vector<fs::path> files_of_set(const fs::path& path) {
  if (fs::exists(path)) return {path};
  std::vector<fs::path> parts = existing_parts(path, "");
  if (parts.empty()) parts = existing_parts(fs::path(path).replace_extension(), path.extension().string());
  if (parts.empty()) {
    throw Error(ExitCode::model, {.where = path.string(),
                                  .expected = "a safetensors file, or its parts .0, .1, ...",
                                  .got = "no such file",
                                  .hint = "check the path"});
  }
  return parts;
}

/** All tensors of the files of a set; `make` is given the file that a stored tensor lives in. */
std::map<std::string, Tensor> tensors_of_set(
    const fs::path& path,
    const std::function<Tensor(const std::shared_ptr<SafetensorsFile>& file, const StoredTensor& stored)>& make) {
  std::map<std::string, Tensor> tensors;
  for (const fs::path& part : files_of_set(path)) {
    const auto file = std::make_shared<SafetensorsFile>(SafetensorsFile::open(part));
    for (const auto& [name, stored] : file->tensors()) {
      if (!tensors.emplace(name, make(file, stored)).second) {
        throw Error(ExitCode::model, {.where = part.string(),
                                      .expected = "each tensor in one part only",
                                      .got = cat("'", name, "' a second time"),
                                      .hint = "the parts do not belong to one set"});
      }
    }
  }
  return tensors;
}

}  // namespace

std::optional<at::ScalarType> scalar_type_of(const std::string& dtype) {
  for (const auto& [name, type] : kDtypes) {
    if (dtype == name) return type;
  }
  return std::nullopt;
}

std::string dtype_of(at::ScalarType type) {
  for (const auto& [name, known] : kDtypes) {
    if (known == type) return name;
  }
  TORCH_CHECK(false, "no safetensors dtype for ", type);
}

Tensor to_tensor(const StoredTensor& stored) {
  const std::optional<at::ScalarType> type = scalar_type_of(stored.dtype);
  if (!type) {
    throw Error(ExitCode::model, {.where = "safetensors tensor",
                                  .expected = "dtype F64, F32, F16, BF16, I64, I32, U8 or BOOL",
                                  .got = cat("dtype ", stored.dtype, ", which is not supported"),
                                  .hint = "convert the file"});
  }
  Tensor tensor = at::empty(stored.shape, *type);
  TORCH_CHECK(tensor.nbytes() == stored.bytes.size(), "stored bytes do not match the shape");
  const auto is_truth = [](std::byte value) { return value <= std::byte{1}; };
  if (*type == at::kBool && !std::all_of(stored.bytes.begin(), stored.bytes.end(), is_truth)) {
    throw Error(ExitCode::model, {.where = "safetensors tensor",
                                  .expected = "0 or 1 in each byte of dtype BOOL",
                                  .got = "another value",
                                  .hint = "the file is damaged"});
  }
  if (!stored.bytes.empty()) std::memcpy(tensor.data_ptr(), stored.bytes.data(), stored.bytes.size());
  return tensor;
}

Tensor to_tensor(const StoredTensor& stored, at::ScalarType dtype, at::Device device) {
  const std::optional<at::ScalarType> type = scalar_type_of(stored.dtype);
  if (!type || !is_viewable(stored, *type)) return to_tensor(stored).to(device, dtype);
  const Tensor view = at::from_blob(const_cast<std::byte*>(stored.bytes.data()), stored.shape, *type);
  if (device.is_cpu()) return view.to(device, dtype, /*non_blocking=*/false, /*copy=*/true);
  // Another device converts faster, and converting here first would take a second host copy.
  return view.to(device).to(dtype);
}

std::map<std::string, Tensor> load_tensors(const fs::path& path) {
  return tensors_of_set(path, [](const std::shared_ptr<SafetensorsFile>& /*file*/, const StoredTensor& stored) {
    return to_tensor(stored);
  });
}

std::map<std::string, Tensor> map_tensors(const fs::path& path) {
  return tensors_of_set(path, [](const std::shared_ptr<SafetensorsFile>& file, const StoredTensor& stored) {
    const std::optional<at::ScalarType> type = scalar_type_of(stored.dtype);
    if (!type || !is_viewable(stored, *type)) return to_tensor(stored);
    return at::from_blob(
        const_cast<std::byte*>(stored.bytes.data()), stored.shape, [file](void*) {}, *type);
  });
}

void save_tensors(const fs::path& path, const std::vector<NamedTensor>& tensors,
                  const std::map<std::string, std::string>& metadata) {
  std::vector<PlannedTensor> planned;
  for (const auto& [name, tensor] : tensors) {
    planned.push_back(
        {.name = name, .dtype = tensor.scalar_type(), .shape = tensor.sizes().vec(), .make = [&tensor = tensor] {
           return tensor;
         }});
  }
  write_tensors(path, planned, metadata);
}

}  // namespace diptych
