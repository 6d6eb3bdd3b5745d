#include "diptych/tensor/packs.h"

#include <ATen/Parallel.h>
#include <gtest/gtest.h>

#include <atomic>
#include <set>
#include <stdexcept>

namespace diptych {
namespace {

/** The test's own number of threads, whatever the machine has. */
class PacksTest : public ::testing::Test {
 protected:
  void TearDown() override { at::set_num_threads(before_); }
  int before_ = at::get_num_threads();
};

TEST_F(PacksTest, EveryPackRunsOnce) {
  for (const int threads : {1, 2, 3}) {
    at::set_num_threads(threads);
    for (const int64_t count : {0, 1, 2, 7}) {
      std::vector<std::atomic<int>> calls(static_cast<size_t>(count));
      for_each_pack(at::kCPU, count, [&](int64_t pack) { ++calls[static_cast<size_t>(pack)]; });
      for (const std::atomic<int>& called : calls) EXPECT_EQ(called, 1);
    }
    EXPECT_EQ(at::get_num_threads(), threads);
  }
}

TEST_F(PacksTest, KernelsOfPacksAreSingleThreaded) {
  at::set_num_threads(2);
  std::vector<int> threads(2);
  for_each_pack(at::kCPU, 2, [&](int64_t pack) { threads[static_cast<size_t>(pack)] = at::get_num_threads(); });
  EXPECT_EQ(threads, (std::vector<int>{1, 1}));
  for_each_pack(at::kCPU, 1, [&](int64_t) { threads[0] = at::get_num_threads(); });
  EXPECT_EQ(threads[0], 2);  // a lone pack has all threads
}

TEST_F(PacksTest, OtherDevicesTakePacksInOrder) {
  at::set_num_threads(3);
  std::vector<int64_t> order;
  for_each_pack(at::kCUDA, 4, [&](int64_t pack) { order.push_back(pack); });
  EXPECT_EQ(order, (std::vector<int64_t>{0, 1, 2, 3}));
  EXPECT_EQ(packs_at_once(at::kCUDA, 4), 1);
  EXPECT_EQ(packs_at_once(at::kCPU, 4), 3);
  EXPECT_EQ(packs_at_once(at::kCPU, 2), 2);
  EXPECT_EQ(packs_at_once(at::kCPU, 0), 0);
}

TEST_F(PacksTest, GradientsAreOnOrOffAsForTheCaller) {
  at::set_num_threads(2);
  const auto modes = [] {
    std::vector<int> on(4);
    for_each_pack(at::kCPU, 4, [&](int64_t pack) { on[static_cast<size_t>(pack)] = at::GradMode::is_enabled(); });
    return on;
  };
  EXPECT_EQ(modes(), (std::vector<int>{1, 1, 1, 1}));
  const at::NoGradGuard no_grad;
  EXPECT_EQ(modes(), (std::vector<int>{0, 0, 0, 0}));
}

TEST_F(PacksTest, AnExceptionComesOut) {
  for (const int threads : {1, 2}) {
    at::set_num_threads(threads);
    EXPECT_THROW(for_each_pack(at::kCPU, 5,
                               [](int64_t pack) {
                                 if (pack >= 1) throw std::out_of_range("pack");
                               }),
                 std::out_of_range);
    EXPECT_EQ(at::get_num_threads(), threads);
  }
}

}  // namespace
}  // namespace diptych
