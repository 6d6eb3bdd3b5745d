#pragma once
// A file that appears under its name only when it is complete.

#include <cstddef>
#include <filesystem>

namespace diptych {

/** Collects writes in a temporary file beside `path`. commit() flushes it to disk and renames it over `path`; without a
 *  commit the destructor removes it and `path` stays as it was. Throws Error(io). */
class AtomicFile {
 public:
  explicit AtomicFile(const std::filesystem::path& path);
  ~AtomicFile();
  AtomicFile(const AtomicFile&) = delete;
  AtomicFile& operator=(const AtomicFile&) = delete;

  void write(const void* data, size_t size);
  void commit();

 private:
  std::filesystem::path path_;
  std::filesystem::path temporary_;
  int descriptor_ = -1;
};

/** Whether a name is that of a temporary file of an AtomicFile. */
bool is_unfinished_file(const std::filesystem::path& path);

/** Removes what writers of this file that were killed left beside it; those of processes that live, on this machine,
 *  stay. The folder must exist. Throws std::filesystem::filesystem_error. */
void remove_unfinished_versions(const std::filesystem::path& path);

/** Removes what writers that were killed left in a folder and below it. Only for a folder that no other process writes.
 *  Throws std::filesystem::filesystem_error. */
void remove_unfinished_files(const std::filesystem::path& folder);

/** Writes all bytes to a file descriptor, going on after partial writes and signals. False, with errno set, on failure.
 */
bool write_all(int descriptor, const void* data, size_t size);

}  // namespace diptych
