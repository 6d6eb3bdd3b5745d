#include "diptych/base/processors.h"

#include <sched.h>
#include <sys/stat.h>

#include <algorithm>
#include <fstream>
#include <sstream>
#include <thread>

#include "diptych/base/control_groups.h"
#include "diptych/base/text_format.h"

namespace diptych {

namespace fs = std::filesystem;

namespace {

constexpr size_t kMostProcessors = 1 << 16;

std::vector<int> allowed_processors() {
  // The kernel refuses a set that is smaller than its own, whose size it does not tell.
  for (size_t count = CPU_SETSIZE; count <= kMostProcessors; count *= 2) {
    cpu_set_t* const set = CPU_ALLOC(count);
    const size_t bytes = CPU_ALLOC_SIZE(count);
    std::vector<int> allowed;
    if (::sched_getaffinity(0, bytes, set) == 0)
      for (size_t number = 0; number < count; ++number)
        if (CPU_ISSET_S(number, bytes, set)) allowed.push_back(static_cast<int>(number));
    CPU_FREE(set);
    if (!allowed.empty()) return allowed;
  }
  std::vector<int> all;
  for (unsigned number = 0; number < std::max(std::thread::hardware_concurrency(), 1u); ++number)
    all.push_back(static_cast<int>(number));
  return all;
}

/** A text such as "150000 100000": microseconds of processor time in so many of the clock. No limit: "max" or -1. */
std::optional<double> parse_quota(const std::string& text) {
  std::istringstream in(text);
  double quota = 0, period = 0;
  if (!(in >> quota >> period) || quota <= 0 || period <= 0) return std::nullopt;
  return quota / period;
}

std::string text_of(const fs::path& file) {
  std::ifstream in(file);
  std::ostringstream text;
  text << in.rdbuf();
  return text.str();
}

std::optional<double> quota_of(const fs::path& group) {
  if (const auto quota = parse_quota(text_of(group / "cpu.max"))) return quota;
  return parse_quota(text_of(group / "cpu.cfs_quota_us") + text_of(group / "cpu.cfs_period_us"));
}

/** What tells a folder from all others of the machine, in each of its containers. */
std::string identity(const fs::path& folder) {
  struct stat found {};
  return ::stat(folder.c_str(), &found) == 0 ? cat(found.st_dev, ":", found.st_ino) : folder.string();
}

}  // namespace

std::optional<CpuQuota> cpu_quota(const fs::path& root) {
  std::optional<CpuQuota> smallest;
  for (const fs::path& group : control_group_folders("cpu", root)) {
    const std::optional<double> quota = quota_of(group);
    if (quota && (!smallest || *quota < smallest->processors)) smallest = {*quota, identity(group)};
  }
  return smallest;
}

Processors usable_processors() {
  return {allowed_processors(), cpu_quota("/")};
}

int processor_count(const Processors& processors) {
  const auto allowed = static_cast<double>(processors.allowed.size());
  return std::max(1, static_cast<int>(processors.quota ? std::min(allowed, processors.quota->processors) : allowed));
}

}  // namespace diptych
