#pragma once
// Room in the machine's memory, looked at before gigabytes are read into it.

#include <cstdint>
#include <filesystem>
#include <string>

namespace diptych {

/** How much a process can still take, and what sets that bound. */
struct MemorySpace {
  int64_t bytes = 0;
  std::string bound;  // such as "free in this machine"
};

/** The least of what the machine has free (MemAvailable, and free swap), what the control groups of this process leave
 *  (control_groups.h; pages of files count as free) and what its limit on addresses leaves
 *  (`ulimit -v`). What the kernel does not tell bounds nothing. `root`: where /proc and /sys lie. */
MemorySpace memory_space(const std::filesystem::path& root = "/");

/** Throws Error(memory) that names need, space and `hint` if `bytes` for `purpose` do not fit into `space`. */
void require_memory(const std::string& where, const std::string& purpose, int64_t bytes, const MemorySpace& space,
                    const std::string& hint);

}  // namespace diptych
