#include "diptych/base/progress.h"

#include <gtest/gtest.h>

namespace diptych {
namespace {

TEST(Progress, LineShowsCountsShareAndTimeLeft) {
  EXPECT_EQ(progress_line("denoise", 10, 40, 20, ""), "denoise 10/40 25 % 1:00 left");
  EXPECT_EQ(progress_line("denoise", 1, 3601, 2, "loss 0.5"), "denoise 1/3601 0 % 2:00:00 left  loss 0.5");
  EXPECT_EQ(progress_line("denoise", 0, 40, 0, ""), "denoise 0/40 0 %");
  EXPECT_EQ(progress_line("denoise", 40, 40, 65, ""), "denoise 40/40 100 % in 1:05");
  EXPECT_EQ(progress_line("denoise", 7, 0, 3, "x"), "denoise 7 in 0:03  x");
  // A continuation: 10 pieces in 20 seconds, 20 to go.
  EXPECT_EQ(progress_line("train", 80, 100, 20, "", 70), "train 80/100 80 % 0:40 left");
  EXPECT_EQ(progress_line("train", 70, 100, 0, "", 70), "train 70/100 70 %");
}

// Under capture, standard error is a file: nothing until finish(), which shows the last state once.
TEST(Progress, FileSeesOneLineOfAShortLoop) {
  ::testing::internal::CaptureStderr();
  Progress progress(3, "steps");
  for (int i = 1; i <= 3; ++i) progress.update(i, "");
  progress.finish();
  progress.finish();
  EXPECT_EQ(::testing::internal::GetCapturedStderr(), "steps 3/3 100 % in 0:00\n");
}

TEST(Progress, SilentWithoutUpdates) {
  ::testing::internal::CaptureStderr();
  Progress(3, "steps").finish();
  EXPECT_EQ(::testing::internal::GetCapturedStderr(), "");
}

}  // namespace
}  // namespace diptych
