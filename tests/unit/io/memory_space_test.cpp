#include "diptych/io/memory_space.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include "diptych/io/files.h"
#include "support/expect_error.h"
#include "support/temporary_folder.h"

namespace diptych {
namespace {

constexpr int64_t kGigabytes = int64_t{1} << 30;

/** A machine of 24 GiB, of which 20 are free, as its kernel describes it in files. */
class MemorySpaceTest : public ::testing::Test {
 protected:
  MemorySpaceTest() {
    write("proc/meminfo",
          "MemTotal:       25165824 kB\nMemFree:         1048576 kB\nMemAvailable:   20971520 kB\n"
          "SwapTotal:             0 kB\nSwapFree:              0 kB\n");
  }

  void write(const std::string& name, const std::string& text) const {
    make_folder((temporary_.path() / name).parent_path());
    write_file_atomic(temporary_.path() / name, text);
  }
  MemorySpace space() const { return memory_space(temporary_.path()); }

  TemporaryFolder temporary_;
};

TEST_F(MemorySpaceTest, IsWhatTheMachineHasFree) {
  EXPECT_EQ(space().bytes, 20 * kGigabytes);
  EXPECT_EQ(space().bound, "free in this machine");
  write("proc/meminfo", "MemAvailable:   20971520 kB\nSwapFree:       1048576 kB\n");
  EXPECT_EQ(space().bytes, 21 * kGigabytes);
}

TEST_F(MemorySpaceTest, OfSilentKernelsNothingIsKnown) {
  write("proc/meminfo", "MemTotal: 1 kB\n");
  EXPECT_GT(space().bytes, int64_t{1} << 60);
  EXPECT_NO_THROW(require_memory("m", "weights", int64_t{1} << 50, space(), ""));
}

TEST_F(MemorySpaceTest, GroupsOfVersionTwoAndThoseAroundThemBoundIt) {
  write("proc/self/cgroup", "0::/job/step\n");
  write("sys/fs/cgroup/job/memory.max", std::to_string(8 * kGigabytes) + "\n");
  write("sys/fs/cgroup/job/memory.current", std::to_string(3 * kGigabytes) + "\n");
  write("sys/fs/cgroup/job/step/memory.max", "max\n");
  write("sys/fs/cgroup/job/step/memory.current", "5\n");
  EXPECT_EQ(space().bytes, 5 * kGigabytes);
  EXPECT_NE(space().bound.find("sys/fs/cgroup/job"), std::string::npos);
  // Pages of files go when memory is wanted.
  write("sys/fs/cgroup/job/memory.stat",
        "anon 7\nactive_file " + std::to_string(kGigabytes) + "\ninactive_file " + std::to_string(kGigabytes) + "\n");
  EXPECT_EQ(space().bytes, 7 * kGigabytes);
  write("sys/fs/cgroup/job/memory.current", std::to_string(30 * kGigabytes) + "\n");
  EXPECT_EQ(space().bytes, 0);
}

TEST_F(MemorySpaceTest, InAContainerTheMountBeginsAtTheGroup) {
  write("proc/self/cgroup", "0::/docker/0123\n");
  write("sys/fs/cgroup/memory.max", std::to_string(kGigabytes) + "\n");
  write("sys/fs/cgroup/memory.current", "0\n");
  EXPECT_EQ(space().bytes, kGigabytes);
}

TEST_F(MemorySpaceTest, GroupsOfVersionOneBoundIt) {
  write("proc/self/cgroup", "11:cpu,cpuacct:/a\n10:memory:/slurm/job\n1:name=systemd:/b\n");
  write("sys/fs/cgroup/memory/slurm/job/memory.limit_in_bytes", std::to_string(4 * kGigabytes) + "\n");
  write("sys/fs/cgroup/memory/slurm/job/memory.usage_in_bytes", std::to_string(2 * kGigabytes) + "\n");
  write("sys/fs/cgroup/memory/slurm/job/memory.stat",
        "inactive_file 5\ntotal_inactive_file " + std::to_string(kGigabytes) + "\n");
  EXPECT_EQ(space().bytes, 3 * kGigabytes);
  // No limit is a number in this version, and larger than any machine.
  write("sys/fs/cgroup/memory/slurm/job/memory.limit_in_bytes", "9223372036854771712\n");
  EXPECT_EQ(space().bytes, 20 * kGigabytes);
}

TEST_F(MemorySpaceTest, GroupsOfHybridMountsBoundIt) {
  write("proc/self/cgroup", "4:cpu,cpuacct:/a\n0::/job\n");
  write("sys/fs/cgroup/unified/job/memory.max", std::to_string(2 * kGigabytes) + "\n");
  write("sys/fs/cgroup/unified/job/memory.current", std::to_string(kGigabytes) + "\n");
  EXPECT_EQ(space().bytes, kGigabytes);
  EXPECT_NE(space().bound.find("sys/fs/cgroup/unified/job"), std::string::npos);
}

TEST_F(MemorySpaceTest, TheLimitOnAddressesBoundsIt) {
  const std::string heading = "Limit                     Soft Limit           Hard Limit           Units     \n";
  const std::string ten = std::to_string(10 * kGigabytes);
  write("proc/self/statm", "1000 10 10 10 0 10 0\n");
  write("proc/self/limits",
        heading + "Max address space         unlimited            unlimited            bytes     \n");
  EXPECT_EQ(space().bytes, 20 * kGigabytes);
  write("proc/self/limits",
        heading + "Max address space         " + ten + "          unlimited            bytes     \n");
  EXPECT_EQ(space().bytes, 10 * kGigabytes - 1000 * sysconf(_SC_PAGESIZE));
  EXPECT_NE(space().bound.find("ulimit -v"), std::string::npos);
}

TEST_F(MemorySpaceTest, TheErrorNamesNeedAndSpace) {
  EXPECT_NO_THROW(require_memory("models/b", "the weights", 20 * kGigabytes, space(), "less"));
  expect_error([&] { require_memory("models/b", "the weights", 29'600'000'000, space(), "buy more"); },
               ExitCode::memory,
               {"models/b", "29.6 GB of memory for the weights", "21.5 GB free in this machine", "buy more"});
}

TEST(MemorySpaceOfThisMachine, IsKnown) {
  EXPECT_GT(memory_space().bytes, 0);
  EXPECT_FALSE(memory_space().bound.empty());
}

}  // namespace
}  // namespace diptych
