#include "diptych/io/files.h"

#include <fcntl.h>
#include <unistd.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include <cerrno>
#include <cstring>
#include <vector>

#include "diptych/base/error.h"
#include "diptych/base/text_format.h"
#include "diptych/io/atomic_file.h"

namespace diptych {

namespace fs = std::filesystem;

namespace {

constexpr size_t kBlockBytes = size_t{1} << 16;

[[noreturn]] void fail_to_read(const fs::path& path) {
  const int code = errno;
  const std::string hint = code == ENOENT   ? cat("check the path; the current folder is ", fs::current_path().string())
                           : code == EACCES ? "check the permissions of the file and its folders"
                                            : "";
  throw Error(ExitCode::io, {path.string(), "a readable file", std::strerror(code), hint});
}

/** Calls consume(data, size) for each block of the file. */
template <class Consume>
void read_blocks(const fs::path& path, const Consume& consume) {
  const int descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (descriptor < 0) fail_to_read(path);
  std::vector<char> block(kBlockBytes);
  ssize_t count = 0;
  while ((count = ::read(descriptor, block.data(), block.size())) != 0) {
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) break;
    consume(block.data(), static_cast<size_t>(count));
  }
  const int code = errno;
  ::close(descriptor);
  errno = code;
  if (count < 0) fail_to_read(path);
}

std::string hexadecimal(const XXH128_hash_t& hash) {
  char text[33];
  std::snprintf(text, sizeof text, "%016llx%016llx", static_cast<unsigned long long>(hash.high64),
                static_cast<unsigned long long>(hash.low64));
  return text;
}

}  // namespace

std::string read_file(const fs::path& path) {
  std::string contents;
  read_blocks(path, [&](const char* data, size_t size) { contents.append(data, size); });
  return contents;
}

void write_file_atomic(const fs::path& path, std::string_view contents) {
  AtomicFile file(path);
  file.write(contents.data(), contents.size());
  file.commit();
}

void sync_folder(const fs::path& path) {
  const int descriptor = ::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (descriptor < 0) fail_to_read(path);
  const int status = ::fsync(descriptor);
  const int code = errno;
  ::close(descriptor);
  // Some network file systems cannot sync a folder; there is nothing a user could do about it.
  if (status != 0 && code != EINVAL && code != ENOTSUP && code != ENOSYS)
    throw Error(ExitCode::io, {path.string(), "a folder that can be flushed to disk", std::strerror(code), ""});
}

std::string hash_file(const fs::path& path) {
  XXH3_state_t state;
  XXH3_128bits_reset(&state);
  read_blocks(path, [&](const char* data, size_t size) { XXH3_128bits_update(&state, data, size); });
  return hexadecimal(XXH3_128bits_digest(&state));
}

std::string hash_bytes(std::string_view bytes) {
  return hexadecimal(XXH3_128bits(bytes.data(), bytes.size()));
}

uint64_t hash_number(std::string_view bytes) {
  return std::stoull(hash_bytes(bytes).substr(0, 15), nullptr, 16);
}

void make_folder(const fs::path& path) {
  std::error_code error, unreachable;
  fs::create_directories(path, error);
  if (!error && fs::is_directory(path)) return;
  std::string got = error ? error.message() : "a file of that name";
  if (fs::is_symlink(path, unreachable) && !fs::exists(path, unreachable))
    got = cat("a link to ", fs::read_symlink(path, unreachable).string(), ", which does not exist");
  throw Error(ExitCode::io,
              {path.empty() ? "the empty path" : path.string(), "a folder that exists or can be created", got, ""});
}

}  // namespace diptych
