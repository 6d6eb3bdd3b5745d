#pragma once
// What `diptych inspect` prints for people.

#include <string>

#include "diptych/model/folder/inspection.h"

namespace diptych {

/** Sizes, a table of the components, and everything that is wrong. */
std::string folder_text(const std::string& path, const FolderSummary& summary);

/** The tensors of a file in its order, metadata and totals. */
std::string tensors_text(const SafetensorsFile& file);

}  // namespace diptych
