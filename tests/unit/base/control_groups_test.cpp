#include "diptych/base/control_groups.h"

#include <gtest/gtest.h>

#include <fstream>

#include "support/temporary_folder.h"

namespace diptych {
namespace {

namespace fs = std::filesystem;

/** The folders below sys/fs/cgroup for what /proc/self/cgroup says; "." is that folder itself. */
std::vector<std::string> folders_of(const std::string& controller, const std::string& groups) {
  const TemporaryFolder root;
  fs::create_directories(root.path() / "proc/self");
  std::ofstream(root.path() / "proc/self/cgroup") << groups;
  std::vector<std::string> names;
  for (const fs::path& folder : control_group_folders(controller, root.path()))
    names.push_back((folder / "").lexically_relative(root.path() / "sys/fs/cgroup" / "").string());
  return names;
}

using Names = std::vector<std::string>;

TEST(ControlGroups, OfVersion2AreTheProcesssOwnFirst) {
  EXPECT_EQ(folders_of("cpu", "0::/\n"), (Names{".", "unified/"}));
  EXPECT_EQ(folders_of("memory", "0::/job/step\n"),
            (Names{"job/step/", "job/", ".", "unified/job/step/", "unified/job/", "unified/"}));
}

TEST(ControlGroups, OfVersion1AreThoseOfTheController) {
  const std::string groups = "12:memory:/slurm/a\n4:cpu,cpuacct:/b\n3:cpuset:/c\n1:name=systemd:/d\n";
  EXPECT_EQ(folders_of("memory", groups), (Names{"memory/slurm/a/", "memory/slurm/", "memory/"}));
  EXPECT_EQ(folders_of("cpu", groups), (Names{"cpu,cpuacct/b/", "cpu,cpuacct/", "cpu/b/", "cpu/"}));
}

TEST(ControlGroups, OfHybridsAreThoseOfBothVersions) {
  EXPECT_EQ(folders_of("memory", "9:memory:/a\n0::/b\n"),
            (Names{"memory/a/", "memory/", "b/", ".", "unified/b/", "unified/"}));
}

TEST(ControlGroups, AreNeverOutsideTheirMount) {
  EXPECT_EQ(folders_of("memory", "0::/../../x\n"), (Names{"x/", ".", "unified/x/", "unified/"}));
  EXPECT_EQ(folders_of("memory", "\n:\nno colons\n"), Names{});
}

TEST(ControlGroups, AreNoneWhereTheKernelTellsNone) {
  const TemporaryFolder empty;
  EXPECT_TRUE(control_group_folders("cpu", empty.path()).empty());
}

}  // namespace
}  // namespace diptych
