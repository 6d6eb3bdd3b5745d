#pragma once
// `diptych report`: run folders as one HTML page that needs no other file, no network and no script.

#include <filesystem>
#include <string>
#include <vector>

#include "diptych/report/run_data/run_data.h"

namespace diptych {

/** The page. Runs of equal folder names are told apart by their paths. */
std::string report_page(std::vector<RunData> runs);

/** Where the page of a run goes unless the user says otherwise. */
std::filesystem::path report_file(const std::filesystem::path& run_folder);

/** Reads the folders and writes their page atomically. Throws Error(data) for a folder that is no run folder, Error(io)
 *  where the page cannot be written. */
void write_report(const std::vector<std::filesystem::path>& run_folders, const std::filesystem::path& page);

}  // namespace diptych
