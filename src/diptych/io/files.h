#pragma once
// Whole-file reading and crash-safe writing.

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>

namespace diptych {

/** Contents of a file. Throws Error(io) with a hint if it is missing or unreadable. */
std::string read_file(const std::filesystem::path& path);

/** Writes to a temporary name in the same folder, fsyncs, renames over `path`, fsyncs the folder: after a crash the old
 *  or the new file is there, never half of one. Throws Error(io). */
void write_file_atomic(const std::filesystem::path& path, std::string_view contents);

/** Flushes a folder's entries to disk. */
void sync_folder(const std::filesystem::path& path);

/** XXH3 128-bit hash of a file's bytes, as 32 hex digits. */
std::string hash_file(const std::filesystem::path& path);

/** The same of bytes in memory. */
std::string hash_bytes(std::string_view bytes);

/** The first 60 bits of that, for comparisons between ranks. */
uint64_t hash_number(std::string_view bytes);

/** Creates a folder and its parents; throws Error(io) that names the folder and why. */
void make_folder(const std::filesystem::path& path);

}  // namespace diptych
