#pragma once
// The options that say what a command computes on.

#include <CLI/CLI.hpp>
#include <string>

#include "diptych/model/folder.h"

namespace diptych {

struct ComputeOptions {
  int64_t threads = 0;
  std::string device = "cpu";
  std::string dtype = "float32";
};

/** Adds --threads, --device and --dtype to the command. */
void add_compute_options(CLI::App& command, ComputeOptions& options);

/** Loads the folder as the options ask, after setting the number of threads. Throws Error(config) and Error(model). */
ModelFolder load_model_folder(const std::filesystem::path& folder, const ComputeOptions& options);

}  // namespace diptych
