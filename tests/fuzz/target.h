#pragma once
// Readers of bytes from outside, as functions that a fuzzer can call.

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace diptych::fuzz {

using Bytes = std::vector<std::byte>;

/** One reader. `read` returns or throws diptych::Error; any other end is a bug of the reader. */
struct Target {
  std::string name;  // also its folder under tests/fuzz/corpus
  std::function<void(std::span<const std::byte>)> read;
  std::vector<std::string_view> words = {};     // of the format, for the mutator to put in
  std::function<void(Bytes& bytes)> mend = {};  // repairs lengths and checksums, so that mutations get past them
};

std::vector<Target> checkpoint_targets();
std::vector<Target> data_targets();
std::vector<Target> image_targets();
std::vector<Target> judge_targets();
std::vector<Target> recipe_targets();
std::vector<Target> report_targets();
std::vector<Target> request_targets();
std::vector<Target> tensor_targets();
std::vector<Target> tokenizer_targets();

/** Throws std::logic_error: the reader accepted what it must not, or lost something. */
void require(bool holds, const char* what);

std::string_view as_text(std::span<const std::byte> bytes);

/** The folder of this process for files that a reader wants by path; in memory where the system has such a folder. */
const std::filesystem::path& scratch_folder();

/** Replaces the file scratch_folder() / name and returns its path. */
std::filesystem::path scratch_file(const std::string& name, std::span<const std::byte> bytes);
std::filesystem::path scratch_file(const std::string& name, std::string_view text);

}  // namespace diptych::fuzz
