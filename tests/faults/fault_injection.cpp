// Preloaded into a program (LD_PRELOAD), it numbers the operations that change files below one folder, and makes one of
// them fail or the process die there. No part of diptych; it knows nothing but the C library:
//
//   g++ -std=c++20 -shared -fPIC -o fault_injection.so fault_injection.cpp
//
// Environment
//   FAULT_FOLDER  absolute path; operations on it and on everything below count
//   FAULT_LOG     file that gets a line for each of them as it begins: number, name, bytes, path
//   FAULT_AT      number of the operation to hit, from 1; without it none is
//   FAULT         what happens there:
//                 kill-before, kill-after  SIGKILL before or after the operation
//                 kill-half                a write puts half of its bytes into the file, then SIGKILL; else kill-before
//                 short                    a write puts half of its bytes into the file and says so; else nothing
//                 EINTR, EIO, ENOSPC, EDQUOT, EACCES, EROFS: it fails with this error
//   FAULT_STAYS   1: from there on, every operation that such a fault can meet fails. A full disk still renames and
//                 removes; a folder without permission still writes and flushes files that are open

#include <dlfcn.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstdarg>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

namespace {

enum class Kind { create, write, flush, rename, remove };

struct Fault {
  std::string folder;
  std::string log;
  long at = 0;
  std::string name;
  int error = 0;  // 0: not an error return
  bool stays = false;
};

template <class Function>
Function next(const char* name) {
  return reinterpret_cast<Function>(dlsym(RTLD_NEXT, name));
}

std::string variable(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

int error_named(const std::string& name) {
  const struct {
    const char* name;
    int number;
  } known[] = {{"EINTR", EINTR},   {"EIO", EIO},       {"ENOSPC", ENOSPC},
               {"EDQUOT", EDQUOT}, {"EACCES", EACCES}, {"EROFS", EROFS}};
  for (const auto& error : known)
    if (name == error.name) return error.number;
  return 0;
}

const Fault& fault() {
  static const Fault instance = [] {
    Fault made;
    made.folder = variable("FAULT_FOLDER");
    made.log = variable("FAULT_LOG");
    made.at = std::atol(variable("FAULT_AT").c_str());
    made.name = variable("FAULT");
    made.error = error_named(made.name);
    made.stays = variable("FAULT_STAYS") == "1";
    return made;
  }();
  return instance;
}

bool can_meet(int error, Kind kind) {
  switch (error) {
    case ENOSPC:
    case EDQUOT:
      return kind == Kind::create || kind == Kind::write;
    case EACCES:
    case EROFS:
      return kind == Kind::create || kind == Kind::rename || kind == Kind::remove;
    default:
      return true;
  }
}

std::string path_of(int descriptor) {
  char link[32];
  std::snprintf(link, sizeof link, "/proc/self/fd/%d", descriptor);
  char path[4096];
  const ssize_t size = readlink(link, path, sizeof path);
  return size < 0 ? "" : std::string(path, static_cast<size_t>(size));
}

std::string path_of(int folder, const char* path) {
  if (path[0] == '/') return path;
  char current[4096];
  const std::string base = folder != AT_FDCWD                ? path_of(folder)
                           : getcwd(current, sizeof current) ? std::string(current)
                                                             : "";
  return base + "/" + path;
}

bool counts(const std::string& path) {
  const std::string& folder = fault().folder;
  return !folder.empty() && path.starts_with(folder) && (path.size() == folder.size() || path[folder.size()] == '/');
}

void note(long number, const char* operation, size_t bytes, const std::string& path) {
  if (fault().log.empty()) return;
  static const auto real_open = next<int (*)(const char*, int, ...)>("open");
  static const auto real_write = next<ssize_t (*)(int, const void*, size_t)>("write");
  const std::string line = std::to_string(number) + " " + operation + " " + std::to_string(bytes) + " " + path + "\n";
  const int log = real_open(fault().log.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0644);
  if (log < 0 || real_write(log, line.data(), line.size()) < 0) std::abort();
  close(log);
}

[[noreturn]] void die() {
  kill(getpid(), SIGKILL);
  while (true) pause();
}

enum class Verdict { go_on, fail, half, half_and_die, die_after };

/** Numbers an operation and says what becomes of it. */
Verdict arrive(Kind kind, const char* operation, const std::string& path, size_t bytes) {
  static std::atomic<long> count{0};
  if (!counts(path)) return Verdict::go_on;
  const long number = ++count;
  note(number, operation, bytes, path);
  const Fault& what = fault();
  if (what.at == 0 || number < what.at) return Verdict::go_on;
  if (number > what.at) return what.stays && can_meet(what.error, kind) ? Verdict::fail : Verdict::go_on;
  if (what.error != 0) return what.stays && !can_meet(what.error, kind) ? Verdict::go_on : Verdict::fail;
  if (what.name == "kill-after") return Verdict::die_after;
  if (what.name == "short") return kind == Kind::write ? Verdict::half : Verdict::go_on;
  if (what.name == "kill-half" && kind == Kind::write) return Verdict::half_and_die;
  die();
}

/** Makes the call, or not; `failure` is what the call returns when it fails. */
template <class Result, class Call>
Result attempt(Kind kind, const char* operation, const std::string& path, Result failure, const Call& call) {
  const int untouched = errno;
  const Verdict verdict = arrive(kind, operation, path, 0);
  if (verdict == Verdict::fail) {
    errno = fault().error;
    return failure;
  }
  errno = untouched;
  const Result result = call();
  if (verdict == Verdict::die_after) die();
  return result;
}

/** The same for a call that writes: call(count) writes that many of the bytes. */
template <class Call>
ssize_t attempt_write(const char* operation, int descriptor, size_t bytes, const Call& call) {
  const int untouched = errno;
  const Verdict verdict = arrive(Kind::write, operation, path_of(descriptor), bytes);
  if (verdict == Verdict::fail) {
    errno = fault().error;
    return -1;
  }
  errno = untouched;
  const bool half = verdict == Verdict::half || verdict == Verdict::half_and_die;
  const ssize_t result = call(half ? std::max<size_t>(1, bytes / 2) : bytes);
  if (verdict == Verdict::half_and_die || verdict == Verdict::die_after) die();
  return result;
}

int guarded_open(const char* operation, int folder, const char* path, int flags, mode_t mode) {
  static const auto real = next<int (*)(int, const char*, int, ...)>("openat");
  const auto call = [&] { return real(folder, path, flags, mode); };
  const bool changes = (flags & (O_WRONLY | O_RDWR | O_CREAT | O_TRUNC)) != 0;
  return changes ? attempt(Kind::create, operation, path_of(folder, path), -1, call) : call();
}

mode_t mode_argument(int flags, va_list arguments) {
  return (flags & (O_CREAT | O_TMPFILE)) != 0 ? va_arg(arguments, mode_t) : 0;
}

FILE* guarded_fopen(const char* name, const char* path, const char* mode) {
  const auto real = next<FILE* (*)(const char*, const char*)>(name);
  const auto call = [&] { return real(path, mode); };
  const bool changes = std::strpbrk(mode, "wa+") != nullptr;
  return changes ? attempt(Kind::create, "open", path_of(AT_FDCWD, path), static_cast<FILE*>(nullptr), call) : call();
}

}  // namespace

#define DEFINE_OPEN(name)                                     \
  int name(const char* path, int flags, ...) {                \
    va_list arguments;                                        \
    va_start(arguments, flags);                               \
    const mode_t mode = mode_argument(flags, arguments);      \
    va_end(arguments);                                        \
    return guarded_open("open", AT_FDCWD, path, flags, mode); \
  }

#define DEFINE_OPENAT(name)                                 \
  int name(int folder, const char* path, int flags, ...) {  \
    va_list arguments;                                      \
    va_start(arguments, flags);                             \
    const mode_t mode = mode_argument(flags, arguments);    \
    va_end(arguments);                                      \
    return guarded_open("open", folder, path, flags, mode); \
  }

extern "C" {

DEFINE_OPEN(open)
DEFINE_OPEN(open64)
DEFINE_OPENAT(openat)
DEFINE_OPENAT(openat64)

FILE* fopen(const char* path, const char* mode) {
  return guarded_fopen("fopen", path, mode);
}

FILE* fopen64(const char* path, const char* mode) {
  return guarded_fopen("fopen64", path, mode);
}

int mkdir(const char* path, mode_t mode) {
  static const auto real = next<int (*)(const char*, mode_t)>("mkdir");
  return attempt(Kind::create, "mkdir", path_of(AT_FDCWD, path), -1, [&] { return real(path, mode); });
}

ssize_t write(int descriptor, const void* data, size_t size) {
  static const auto real = next<ssize_t (*)(int, const void*, size_t)>("write");
  return attempt_write("write", descriptor, size, [&](size_t count) { return real(descriptor, data, count); });
}

ssize_t pwrite(int descriptor, const void* data, size_t size, off_t offset) {
  static const auto real = next<ssize_t (*)(int, const void*, size_t, off_t)>("pwrite");
  return attempt_write("write", descriptor, size, [&](size_t count) { return real(descriptor, data, count, offset); });
}

ssize_t writev(int descriptor, const iovec* parts, int count) {
  static const auto real = next<ssize_t (*)(int, const void*, size_t)>("write");
  std::string bytes;
  for (int i = 0; i < count; ++i) bytes.append(static_cast<const char*>(parts[i].iov_base), parts[i].iov_len);
  return attempt_write("write", descriptor, bytes.size(),
                       [&](size_t size) { return real(descriptor, bytes.data(), size); });
}

int ftruncate(int descriptor, off_t size) {
  static const auto real = next<int (*)(int, off_t)>("ftruncate");
  return attempt(Kind::flush, "ftruncate", path_of(descriptor), -1, [&] { return real(descriptor, size); });
}

int ftruncate64(int descriptor, off_t size) {
  return ftruncate(descriptor, size);
}

int fsync(int descriptor) {
  static const auto real = next<int (*)(int)>("fsync");
  return attempt(Kind::flush, "fsync", path_of(descriptor), -1, [&] { return real(descriptor); });
}

int fdatasync(int descriptor) {
  static const auto real = next<int (*)(int)>("fdatasync");
  return attempt(Kind::flush, "fsync", path_of(descriptor), -1, [&] { return real(descriptor); });
}

int rename(const char* from, const char* to) {
  static const auto real = next<int (*)(const char*, const char*)>("rename");
  return attempt(Kind::rename, "rename", path_of(AT_FDCWD, to), -1, [&] { return real(from, to); });
}

int renameat(int from_folder, const char* from, int to_folder, const char* to) {
  static const auto real = next<int (*)(int, const char*, int, const char*)>("renameat");
  return attempt(Kind::rename, "rename", path_of(to_folder, to), -1,
                 [&] { return real(from_folder, from, to_folder, to); });
}

int unlink(const char* path) {
  static const auto real = next<int (*)(const char*)>("unlink");
  return attempt(Kind::remove, "remove", path_of(AT_FDCWD, path), -1, [&] { return real(path); });
}

int unlinkat(int folder, const char* path, int flags) {
  static const auto real = next<int (*)(int, const char*, int)>("unlinkat");
  return attempt(Kind::remove, "remove", path_of(folder, path), -1, [&] { return real(folder, path, flags); });
}

int rmdir(const char* path) {
  static const auto real = next<int (*)(const char*)>("rmdir");
  return attempt(Kind::remove, "remove", path_of(AT_FDCWD, path), -1, [&] { return real(path); });
}

int remove(const char* path) {
  static const auto real = next<int (*)(const char*)>("remove");
  return attempt(Kind::remove, "remove", path_of(AT_FDCWD, path), -1, [&] { return real(path); });
}

}  // extern "C"
