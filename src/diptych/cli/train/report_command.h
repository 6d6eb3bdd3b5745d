#pragma once

#include <CLI/CLI.hpp>
#include <filesystem>

namespace diptych {

/** `diptych report RUN...`: writes run folders as one HTML page. */
void add_report(CLI::App& app, int& status);

/** Where the page of a run goes unless the user says otherwise. */
std::filesystem::path report_file(const std::filesystem::path& run_folder);

}  // namespace diptych
