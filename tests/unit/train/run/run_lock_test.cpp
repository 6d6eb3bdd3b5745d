// A file system without locks, as seen by a program: flock() of this test takes the place of the C library's.

#include <gtest/gtest.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>

#include "diptych/train/run/run_folder.h"
#include "support/expect_error.h"
#include "support/temporary_folder.h"

namespace {
int failure_of_flock = 0;
}

extern "C" int flock(int file, int operation) noexcept {
  errno = failure_of_flock;
  return failure_of_flock != 0 ? -1 : static_cast<int>(::syscall(SYS_flock, file, operation));
}

namespace diptych {
namespace {

class RunLockWithout : public ::testing::Test {
 protected:
  ~RunLockWithout() override { failure_of_flock = 0; }
  TemporaryFolder folder_;
};

TEST_F(RunLockWithout, LocksARunGoesOnWithAWarning) {
  for (const int failure : {ENOSYS, ENOLCK, EOPNOTSUPP}) {
    failure_of_flock = failure;
    ::testing::internal::CaptureStderr();
    EXPECT_NO_THROW(RunLock lock(folder_.path() / "run"));
    const std::string log = ::testing::internal::GetCapturedStderr();
    EXPECT_NE(log.find("warning"), std::string::npos) << log;
    EXPECT_NE(log.find("no locks"), std::string::npos) << log;
  }
}

TEST_F(RunLockWithout, OtherFailuresEndIt) {
  failure_of_flock = EIO;
  expect_error([&] { RunLock lock(folder_.path() / "run"); }, ExitCode::io, {"run", "Input/output error"});
}

}  // namespace
}  // namespace diptych
