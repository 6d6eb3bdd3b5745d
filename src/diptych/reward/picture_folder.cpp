#include "diptych/reward/picture_folder.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>

#include "diptych/base/error.h"
#include "diptych/base/text_format.h"

namespace diptych {

namespace fs = std::filesystem;

namespace {

constexpr const char* kFolderName = "diptych_reward_";
constexpr const char* kLockName = "/lock";

[[noreturn]] void no_folder(const std::string& path, const std::string& reason) {
  throw Error(ExitCode::io, {path, "a temporary folder for pictures", reason, "set TMPDIR"});
}

fs::path temporary_folder() {
  std::error_code missing;
  const fs::path folder = fs::temp_directory_path(missing);
  if (missing) no_folder("TMPDIR", missing.message());
  return fs::absolute(folder);
}

/** A descriptor of the file, locked; -1 where it cannot be opened or locked. */
int lock_file(const std::string& path, int flags) {
  const int file = ::open(path.c_str(), O_RDWR | O_CLOEXEC | O_NOFOLLOW | flags, 0600);
  if (file < 0 || ::flock(file, LOCK_EX | LOCK_NB) == 0) return file;
  ::close(file);
  return -1;
}

bool is_ours(int file) {
  struct stat status {};
  return ::fstat(file, &status) == 0 && status.st_uid == ::geteuid();
}

}  // namespace

PictureFolder::PictureFolder() {
  const fs::path parent = temporary_folder();
  // It takes its name when it is locked: nobody is to remove it in between.
  std::string unlocked = (parent / cat(".", kFolderName, "XXXXXX")).string();
  if (::mkdtemp(unlocked.data()) == nullptr) no_folder(unlocked, std::strerror(errno));
  lock_ = lock_file(unlocked + kLockName, O_CREAT);
  path_ = (parent / fs::path(unlocked).filename().string().substr(1)).string();
  if (::rename(unlocked.c_str(), path_.c_str()) == 0) return;
  const int failure = errno;
  if (lock_ >= 0) ::close(lock_);
  std::error_code ignored;
  fs::remove_all(unlocked, ignored);
  no_folder(path_, std::strerror(failure));
}

PictureFolder::~PictureFolder() {
  std::error_code ignored;
  fs::remove_all(path_, ignored);
  if (lock_ >= 0) ::close(lock_);
}

std::string PictureFolder::write(const std::string& name, const Image& image) const {
  const std::string path = cat(path_, "/", name, ".png");
  const std::vector<uint8_t> bytes = encode_png(image);
  std::ofstream file(path, std::ios::binary);
  file.write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
  if (!file.flush()) throw Error(ExitCode::io, {path, "a picture that can be written", "an error", "free disk space"});
  return path;
}

void remove_left_pictures() {
  std::error_code ignored;
  for (const fs::directory_entry& entry : fs::directory_iterator(temporary_folder(), ignored)) {
    if (!entry.path().filename().string().starts_with(kFolderName)) continue;
    const int lock = lock_file(entry.path().string() + kLockName, 0);
    if (lock < 0) continue;
    if (is_ours(lock)) fs::remove_all(entry.path(), ignored);
    ::close(lock);
  }
}

}  // namespace diptych
