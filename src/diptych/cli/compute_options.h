#pragma once
// The options that say what a command computes on.

#include <CLI/CLI.hpp>
#include <string>

#include "diptych/model/folder/folder.h"

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

/** For the handler of an Error of a command that loads `folder`: throws the error again, or, where it comes from a path
 *  that is no model folder, one that says what is there instead and which path to use. */
[[noreturn]] void retell_model_error(const std::filesystem::path& folder);

}  // namespace diptych
