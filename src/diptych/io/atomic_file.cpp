#include "diptych/io/atomic_file.h"

#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <string_view>
#include <vector>

#include "diptych/base/error.h"
#include "diptych/base/text_format.h"
#include "diptych/io/files.h"

namespace diptych {

namespace fs = std::filesystem;

namespace {

constexpr std::string_view kUnfinishedSuffix = ".tmp-";  // then process and count

[[noreturn]] void fail_to_write(const fs::path& path) {
  const int code = errno;
  std::string hint;
  if (code == ENOSPC || code == EDQUOT) hint = "free space on that disk";
  if (code == EFBIG) hint = "this process may write no larger files: see `ulimit -f`";
  if (code == ENOENT) hint = cat("the folder '", path.parent_path().string(), "' must exist");
  throw Error(ExitCode::io, {path.string(), "a file that can be written", std::strerror(code), hint});
}
}  // namespace

AtomicFile::AtomicFile(const fs::path& path) : path_(path) {
  // Process and count in the name keep writers of the same file apart.
  static std::atomic<int> count{0};
  temporary_ = path_;
  temporary_ += cat(kUnfinishedSuffix, getpid(), "-", count++);
  descriptor_ = ::open(temporary_.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
  if (descriptor_ < 0) fail_to_write(path_);
}

AtomicFile::~AtomicFile() {
  if (descriptor_ < 0) return;
  ::close(descriptor_);
  ::unlink(temporary_.c_str());
}

void AtomicFile::write(const void* data, size_t size) {
  if (!write_all(descriptor_, data, size)) fail_to_write(path_);
}

void AtomicFile::commit() {
  if (::fsync(descriptor_) != 0 || ::rename(temporary_.c_str(), path_.c_str()) != 0) fail_to_write(path_);
  ::close(descriptor_);
  descriptor_ = -1;
  sync_folder(path_.has_parent_path() ? path_.parent_path() : fs::path("."));
}

bool is_unfinished_file(const fs::path& path) {
  const std::string name = path.filename().string();
  const size_t suffix = name.rfind(kUnfinishedSuffix);
  return suffix != name.npos && name.find_first_not_of("0123456789-", suffix + kUnfinishedSuffix.size()) == name.npos;
}

void remove_unfinished_versions(const fs::path& path) {
  const std::string prefix = cat(path.filename().string(), kUnfinishedSuffix);
  std::vector<fs::path> abandoned;
  for (const fs::directory_entry& entry : fs::directory_iterator(path.has_parent_path() ? path.parent_path() : ".")) {
    const std::string name = entry.path().filename().string();
    if (!name.starts_with(prefix) || !is_unfinished_file(entry.path())) continue;
    const int process = std::atoi(name.c_str() + prefix.size());
    if (process > 0 && ::kill(process, 0) != 0 && errno == ESRCH) abandoned.push_back(entry.path());
  }
  for (const fs::path& file : abandoned) fs::remove(file);
}

void remove_unfinished_files(const fs::path& folder) {
  std::vector<fs::path> unfinished;
  for (const fs::directory_entry& entry : fs::recursive_directory_iterator(folder))
    if (is_unfinished_file(entry.path())) unfinished.push_back(entry.path());
  for (const fs::path& file : unfinished) fs::remove(file);
}

bool write_all(int descriptor, const void* data, size_t size) {
  const char* next = static_cast<const char*>(data);
  while (size > 0) {
    const ssize_t written = ::write(descriptor, next, size);
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return false;
    next += written;
    size -= static_cast<size_t>(written);
  }
  return true;
}

}  // namespace diptych
