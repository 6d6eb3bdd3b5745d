#include "diptych/io/memory_space.h"

#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <limits>
#include <optional>
#include <sstream>
#include <vector>

#include "diptych/base/control_groups.h"
#include "diptych/base/error.h"
#include "diptych/base/text_format.h"

namespace diptych {

namespace fs = std::filesystem;

namespace {

constexpr int64_t kUnbounded = std::numeric_limits<int64_t>::max();

/** The number behind a word at the start of a line, as in "MemAvailable:   123 kB"; nothing without such a line. */
std::optional<int64_t> number_behind(const fs::path& file, const std::string& word) {
  std::ifstream lines(file);
  for (std::string line; std::getline(lines, line);) {
    std::istringstream parts(line);
    std::string name;
    int64_t number = 0;
    if (parts >> name >> number && name == word) return number;
  }
  return std::nullopt;
}

/** The number that a file holds; nothing for "max" and for no file. */
std::optional<int64_t> number_in(const fs::path& file) {
  std::ifstream in(file);
  int64_t number = 0;
  return in >> number ? std::optional(number) : std::nullopt;
}

MemorySpace smaller(const MemorySpace& left, const MemorySpace& right) {
  return right.bytes < left.bytes ? right : left;
}

MemorySpace free_in_machine(const fs::path& root) {
  constexpr int64_t kKilobyte = 1024;
  const fs::path file = root / "proc/meminfo";
  const std::optional<int64_t> available = number_behind(file, "MemAvailable:");
  if (!available) return {kUnbounded, ""};
  return {(*available + number_behind(file, "SwapFree:").value_or(0)) * kKilobyte, "free in this machine"};
}

/** The files in which a version of control groups keeps its numbers. */
struct GroupFiles {
  const char* limit;
  const char* usage;
  std::vector<std::string> file_pages;  // of the numbers in memory.stat that include the groups inside
};

/** What a group's own limit leaves it. */
MemorySpace left_by_group(const fs::path& folder, const GroupFiles& files) {
  const std::optional<int64_t> limit = number_in(folder / files.limit), usage = number_in(folder / files.usage);
  if (!limit || !usage) return {kUnbounded, ""};
  int64_t used = *usage;
  for (const std::string& pages : files.file_pages) used -= number_behind(folder / "memory.stat", pages).value_or(0);
  return {std::max<int64_t>(*limit - std::max<int64_t>(used, 0), 0), cat("left of the limit of ", folder.string())};
}

MemorySpace left_by_groups(const fs::path& root) {
  const GroupFiles versions[] = {
      {"memory.limit_in_bytes", "memory.usage_in_bytes", {"total_active_file", "total_inactive_file"}},
      {"memory.max", "memory.current", {"active_file", "inactive_file"}}};
  MemorySpace space{kUnbounded, ""};
  for (const fs::path& folder : control_group_folders("memory", root))
    for (const GroupFiles& files : versions) space = smaller(space, left_by_group(folder, files));
  return space;
}

/** The limit on a process's addresses in bytes; nothing where it has none. */
std::optional<int64_t> address_limit(const fs::path& root) {
  const std::string name = "Max address space";  // and then the soft limit, the hard one and the unit
  std::ifstream lines(root / "proc/self/limits");
  for (std::string line; std::getline(lines, line);) {
    if (line.rfind(name, 0) != 0) continue;
    std::istringstream limits(line.substr(name.size()));
    int64_t soft = 0;
    if (limits >> soft) return soft;
  }
  return std::nullopt;
}

MemorySpace left_of_addresses(const fs::path& root) {
  const std::optional<int64_t> limit = address_limit(root), pages = number_in(root / "proc/self/statm");
  if (!limit || !pages) return {kUnbounded, ""};
  return {std::max<int64_t>(*limit - *pages * ::sysconf(_SC_PAGESIZE), 0), "left of the limit of `ulimit -v`"};
}

std::string gigabytes(int64_t bytes) {
  return cat(fixed(static_cast<double>(bytes) * 1e-9, bytes < 100'000'000 ? 3 : 1), " GB");
}

}  // namespace

MemorySpace memory_space(const fs::path& root) {
  return smaller(smaller(free_in_machine(root), left_by_groups(root)), left_of_addresses(root));
}

void require_memory(const std::string& where, const std::string& purpose, int64_t bytes, const MemorySpace& space,
                    const std::string& hint) {
  if (bytes <= space.bytes) return;
  throw Error(ExitCode::memory, {where, cat(gigabytes(bytes), " of memory for ", purpose),
                                 cat(gigabytes(space.bytes), ' ', space.bound), hint});
}

}  // namespace diptych
