#pragma once
// What `diptych inspect --json` prints for programs.

#include <string>

#include "diptych/model/folder/inspection.h"

namespace diptych {

/** One JSON object: `config`, `tokenizer`, `files` with `components` and differences, totals, `faults`. Names and
 * shapes of differences are listed one by one. */
std::string folder_json(const std::string& path, const FolderSummary& summary);

/** One JSON object: `metadata`, `tensors` in the order of the file, totals. */
std::string tensors_json(const SafetensorsFile& file);

}  // namespace diptych
