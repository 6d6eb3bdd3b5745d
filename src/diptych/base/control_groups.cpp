#include "diptych/base/control_groups.h"

#include <fstream>

#include "diptych/base/text_format.h"

namespace diptych {

namespace fs = std::filesystem;

namespace {

/** Appends the folder of a group and of all around it, up to `mount`. */
void append_up_to(const fs::path& mount, const fs::path& group, std::vector<fs::path>& folders) {
  for (fs::path path = group.relative_path();; path = path.parent_path()) {
    folders.push_back(mount / path);
    if (path.empty()) return;
  }
}

}  // namespace

std::vector<fs::path> control_group_folders(const std::string& controller, const fs::path& root) {
  const fs::path mounts = root / "sys/fs/cgroup";
  std::vector<fs::path> folders;
  std::ifstream groups(root / "proc/self/cgroup");
  // Lines such as 4:cpu,cpuacct:/jobs/7 for version 1 and 0::/jobs/7 for version 2.
  for (std::string line; std::getline(groups, line);) {
    const size_t first = line.find(':'), second = line.find(':', first + 1);
    if (first == line.npos || second == line.npos) continue;
    const std::string controllers = line.substr(first + 1, second - first - 1);
    const fs::path group = fs::path(line.substr(second + 1)).lexically_normal();  // it may begin with /..
    if (controllers.empty()) {
      append_up_to(mounts, group, folders);
      append_up_to(mounts / "unified", group, folders);
    } else if (cat(",", controllers, ",").find(cat(",", controller, ",")) != std::string::npos) {
      append_up_to(mounts / controllers, group, folders);
      if (controllers != controller) append_up_to(mounts / controller, group, folders);
    }
  }
  return folders;
}

}  // namespace diptych
