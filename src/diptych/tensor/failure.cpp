#include "diptych/tensor/failure.h"

#include <c10/util/Exception.h>

#include <cstdlib>
#include <filesystem>
#include <new>
#include <string>

namespace diptych {

namespace {

Error lack_of_memory(const std::string& what) {
  return {ExitCode::memory,
          {"memory", "room for what is computed at once", what,
           "`diptych plan RECIPE` tells what a recipe needs, and what to change first: a run that continues takes "
           "smaller packs (train.chains_per_pack, rollout.chains_per_pack, train.examples_per_pack)"}};
}

/** LibTorch's host allocator throws no type of its own. */
bool is_lack_of_host_memory(const std::string& what) {
  return what.find("DefaultCPUAllocator: can't allocate memory") != what.npos ||
         what.find("DefaultCPUAllocator: not enough memory") != what.npos;
}

Error unreachable_path(const std::filesystem::filesystem_error& failure) {
  const std::string path = failure.path1().string();
  const char* const temporary = std::getenv("TMPDIR");
  std::string hint;
  if (failure.code() == std::errc::permission_denied) hint = "check the permissions of the file and its folders";
  if (temporary != nullptr && path == temporary) hint = "the variable TMPDIR names it: set it to a folder that exists";
  return {ExitCode::io,
          {path.empty() ? "file system" : path, "a path that can be reached", failure.code().message(), hint}};
}

}  // namespace

Error as_error(const std::exception& failure) {
  if (const auto* error = dynamic_cast<const Error*>(&failure)) return *error;
  if (const auto* error = dynamic_cast<const c10::OutOfMemoryError*>(&failure))
    return lack_of_memory(error->what_without_backtrace());
  if (const auto* error = dynamic_cast<const c10::Error*>(&failure); error && is_lack_of_host_memory(error->what()))
    return lack_of_memory(error->what_without_backtrace());
  if (dynamic_cast<const std::bad_alloc*>(&failure) != nullptr) return lack_of_memory("the host's memory is too small");
  if (const auto* error = dynamic_cast<const std::filesystem::filesystem_error*>(&failure))
    return unreachable_path(*error);
  return {ExitCode::internal,
          {"diptych", "no failure of its own", failure.what(),
           "this is a bug in diptych; please report it with the command line"}};
}

}  // namespace diptych
