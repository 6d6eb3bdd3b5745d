#pragma once
// The whole comparison of the model with a fixture folder made with the official code.

#include "diptych/tensor/torch.h"

#include <filesystem>
#include <set>

#include "diptych/parity/item.h"

namespace diptych {

/** Names of all items, in the order of the files. */
std::vector<std::string> item_names();

/** Runs the items on `folder`/checkpoint in that compute dtype, in the order of the files; `only` those of the given
 *  names, or all if there are none. Items whose file is not there are reported as absent. Throws Error(data) if the
 *  folder has none of the files, Error(model) if its checkpoint cannot be loaded; whatever goes wrong inside an item is
 *  a failure of that item. */
std::vector<ItemResult> verify_folder(const std::filesystem::path& folder, at::ScalarType dtype = at::kFloat,
                                      const std::set<std::string>& only = {});

}  // namespace diptych
