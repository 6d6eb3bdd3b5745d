#pragma once
// The whole comparison of the model with a fixture folder made with the official code.

#include <filesystem>

#include "diptych/tensor/torch.h"

#include "diptych/parity/item.h"

namespace diptych {

/** Runs every item on `folder`/checkpoint in that compute dtype, in the order of the files. Items whose file is not
 *  there are reported as absent. Throws Error(data) if the folder has no item at all, Error(model) if its checkpoint
 *  cannot be loaded; anything that goes wrong inside an item is a failure of that item. */
std::vector<ItemResult> verify_folder(const std::filesystem::path& folder, at::ScalarType dtype = at::kFloat);

}  // namespace diptych
