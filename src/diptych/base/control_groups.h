#pragma once
// The kernel's groups of processes, by which containers and batch systems limit what a process may take.

#include <filesystem>
#include <string>
#include <vector>

namespace diptych {

/** The folders in which the kernel keeps the limits that a controller ("cpu", "memory") sets on this process: of its
 *  own group first, then of those around it, up to the mount; for version 1, version 2 and hybrids of both, wherever
 *  systemd or a container mounts them. Not all need exist: inside a container the path may be that of the machine, and
 *  the container's own group then lies at the mount. `root`: where /proc and /sys lie. */
std::vector<std::filesystem::path> control_group_folders(const std::string& controller,
                                                         const std::filesystem::path& root);

}  // namespace diptych
