#include "diptych/base/processors.h"

#include <gtest/gtest.h>
#include <sched.h>

#include <fstream>

#include "support/temporary_folder.h"

namespace diptych {
namespace {

namespace fs = std::filesystem;

/** A root folder with the files of control groups. */
class Quota : public ::testing::Test {
 protected:
  void write(const std::string& file, const std::string& text) {
    fs::create_directories((folder_.path() / file).parent_path());
    std::ofstream(folder_.path() / file) << text;
  }
  void expect_quota(double processors) {
    const std::optional<CpuQuota> found = cpu_quota(folder_.path());
    ASSERT_TRUE(found);
    EXPECT_DOUBLE_EQ(found->processors, processors);
  }
  TemporaryFolder folder_;
};

TEST_F(Quota, OfVersion2) {
  write("proc/self/cgroup", "0::/\n");
  EXPECT_FALSE(cpu_quota(folder_.path()));
  write("sys/fs/cgroup/cpu.max", "max 100000\n");
  EXPECT_FALSE(cpu_quota(folder_.path()));
  write("sys/fs/cgroup/cpu.max", "150000 100000\n");
  expect_quota(1.5);
}

TEST_F(Quota, OfAGroupAroundIt) {
  write("proc/self/cgroup", "0::/kubepods/pod7/container\n");
  write("sys/fs/cgroup/kubepods/pod7/container/cpu.max", "max 100000\n");
  write("sys/fs/cgroup/kubepods/pod7/cpu.max", "200000 100000\n");
  write("sys/fs/cgroup/kubepods/cpu.max", "800000 100000\n");
  expect_quota(2);
  write("sys/fs/cgroup/kubepods/pod7/container/cpu.max", "50000 100000\n");
  expect_quota(0.5);
}

TEST_F(Quota, OfVersion1) {
  write("proc/self/cgroup", "12:memory:/\n4:cpu,cpuacct:/slurm/job_3\n3:cpuset:/\n");
  write("sys/fs/cgroup/cpu,cpuacct/slurm/job_3/cpu.cfs_quota_us", "-1\n");
  write("sys/fs/cgroup/cpu,cpuacct/slurm/job_3/cpu.cfs_period_us", "100000\n");
  EXPECT_FALSE(cpu_quota(folder_.path()));
  write("sys/fs/cgroup/cpu,cpuacct/slurm/job_3/cpu.cfs_quota_us", "400000\n");
  expect_quota(4);
}

TEST_F(Quota, InAContainerThatSeesThePathOfTheMachine) {
  write("proc/self/cgroup", "4:cpuacct,cpu:/docker/0123\n0::/docker/0123\n");
  write("sys/fs/cgroup/cpu/cpu.cfs_quota_us", "300000\n");
  write("sys/fs/cgroup/cpu/cpu.cfs_period_us", "100000\n");
  expect_quota(3);
  write("sys/fs/cgroup/unified/cpu.max", "100000 100000\n");  // both versions: the smaller holds
  expect_quota(1);
}

TEST_F(Quota, NonsenseLimitsNothing) {
  EXPECT_FALSE(cpu_quota(folder_.path()));
  write("proc/self/cgroup", "\n:\n0::\n0::/../../x\nno colons\n");
  for (const char* text : {"", "\n", "max", "-1 100000", "0 100000", "1000 0", "many 100000"}) {
    write("sys/fs/cgroup/cpu.max", text);
    EXPECT_FALSE(cpu_quota(folder_.path())) << text;
  }
}

TEST_F(Quota, GroupsAreToldApart) {
  write("proc/self/cgroup", "0::/a\n");
  write("sys/fs/cgroup/a/cpu.max", "100000 100000\n");
  write("sys/fs/cgroup/b/cpu.max", "100000 100000\n");
  const std::string first = cpu_quota(folder_.path())->group;
  EXPECT_EQ(cpu_quota(folder_.path())->group, first);
  write("proc/self/cgroup", "0::/b\n");
  EXPECT_NE(cpu_quota(folder_.path())->group, first);
}

TEST(Processors, TheSmallerOfAffinityAndQuotaCounts) {
  EXPECT_EQ(processor_count({{0, 1, 2, 3}, std::nullopt}), 4);
  EXPECT_EQ(processor_count({{0, 1, 2, 3}, CpuQuota{2.9, ""}}), 2);
  EXPECT_EQ(processor_count({{0, 1}, CpuQuota{16, ""}}), 2);
  EXPECT_EQ(processor_count({{0, 1}, CpuQuota{0.5, ""}}), 1);
}

TEST(Processors, AffinityIsThatOfTheProcess) {
  cpu_set_t before;
  ASSERT_EQ(sched_getaffinity(0, sizeof before, &before), 0);
  const std::vector<int> all = usable_processors().allowed;
  EXPECT_EQ(all.size(), static_cast<size_t>(CPU_COUNT(&before)));
  cpu_set_t one;
  CPU_ZERO(&one);
  CPU_SET(all.back(), &one);
  ASSERT_EQ(sched_setaffinity(0, sizeof one, &one), 0);
  EXPECT_EQ(usable_processors().allowed, std::vector<int>{all.back()});
  sched_setaffinity(0, sizeof before, &before);
}

}  // namespace
}  // namespace diptych
