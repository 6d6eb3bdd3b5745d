#pragma once
// How many of the machine's processors this process may use.

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace diptych {

/** A limit on the time of processors, as containers and batch systems set it on a group of processes. */
struct CpuQuota {
  double processors = 0;  // so many processors' time
  std::string group;      // tells the group from all others of the machine
};

struct Processors {
  std::vector<int> allowed;       // numbers of those that the affinity of this process allows (taskset, srun, cpusets)
  std::optional<CpuQuota> quota;  // the smallest that holds for it
};

/** Reads affinity and quotas. What cannot be read limits nothing. */
Processors usable_processors();

/** The smallest quota of the groups of this process and of those around them (control_groups.h): cpu.max of version 2,
 *  cpu.cfs_quota_us of version 1. `root` is "/", but for tests. */
std::optional<CpuQuota> cpu_quota(const std::filesystem::path& root);

/** Whole processors that can be kept busy: the smaller of affinity and quota, rounded down, at least 1. */
int processor_count(const Processors& processors);

}  // namespace diptych
