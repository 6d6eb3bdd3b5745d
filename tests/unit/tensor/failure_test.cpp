#include "diptych/tensor/torch.h"

#include "diptych/tensor/failure.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <new>

namespace diptych {
namespace {

void expect_told(const std::exception& failure, ExitCode code, const std::string& part) {
  const Error error = as_error(failure);
  EXPECT_EQ(error.code(), code) << error.what();
  EXPECT_NE(std::string(error.what()).find(part), std::string::npos) << error.what();
}

TEST(FailureTest, AnErrorStaysWhatItIs) {
  expect_told(Error(ExitCode::reward, {"a", "b", "c", ""}), ExitCode::reward, "a: expected b, got c");
}

TEST(FailureTest, LackOfMemoryIsAMatterOfTheRecipe) {
  expect_told(std::bad_alloc(), ExitCode::memory, "chains_per_pack");
  const c10::SourceLocation here{"f", "file", 1};
  expect_told(c10::OutOfMemoryError(here, "CUDA out of memory. Tried to allocate 2.00 GiB"), ExitCode::memory,
              "Tried to allocate");
  try {
    at::empty({int64_t{1} << 60}, at::kByte);
    FAIL() << "an exabyte was there";
  } catch (const std::exception& failure) {
    expect_told(failure, ExitCode::memory, "chains_per_pack");
  }
}

TEST(FailureTest, PathsAndMistakes) {
  expect_told(std::filesystem::filesystem_error("rename", "runs/a", std::make_error_code(std::errc::permission_denied)),
              ExitCode::io, "runs/a: expected a path that can be reached");
  expect_told(std::out_of_range("vector::_M_range_check"), ExitCode::internal, "vector::_M_range_check");
}

}  // namespace
}  // namespace diptych
