#include "support/compare.h"

#include <limits>

namespace diptych {
namespace {

Tensor numbers() {
  return at::tensor({3.0, -4.0, 0.0, 5.0}, at::kDouble).view({2, 2});
}

std::string message(const Tensor& actual, const Tensor& expected, Tolerance tolerance) {
  const auto result = close(actual, expected, tolerance);
  EXPECT_FALSE(result);
  return result.message();
}

TEST(Compare, AllowsTheToleranceAndNotMore) {
  Tensor off = numbers();
  off[1][0] = 1e-3;  // root mean square of the expected values: sqrt(12.5) = 3.54
  EXPECT_TRUE(close(off, numbers(), {.normalised = 3e-4}));
  EXPECT_TRUE(close(off, numbers(), {.absolute = 1.1e-3}));
  EXPECT_FALSE(close(off, numbers(), {.normalised = 2.5e-4}));
  EXPECT_NE(message(off, numbers(), {}).find("worst element [1, 0]"), std::string::npos);
}

TEST(Compare, ReportsNonFiniteValuesBeforeAnythingElse) {
  Tensor broken = numbers();
  broken[0][1] = std::numeric_limits<double>::quiet_NaN();
  EXPECT_NE(message(broken, numbers().flatten(), {.absolute = 1e9}).find("not finite, first at [0, 1]"),
            std::string::npos);
  broken[0][1] = std::numeric_limits<double>::infinity();
  EXPECT_FALSE(close(broken, broken, {.absolute = 1e9}));
}

TEST(Compare, ReportsShapeAndDtype) {
  EXPECT_NE(message(numbers(), numbers().flatten(), {.absolute = 1e9}).find("shape"), std::string::npos);
  EXPECT_NE(message(numbers().to(at::kFloat), numbers(), {.absolute = 1e9}).find("dtype"), std::string::npos);
}

TEST(Compare, SameBitsSeesTheSignOfZero) {
  EXPECT_TRUE(same_bits(numbers(), numbers().t().contiguous().t()));
  Tensor negative = numbers();
  negative[1][0] = -0.0;
  EXPECT_TRUE(close(negative, numbers(), {}));
  EXPECT_FALSE(same_bits(negative, numbers()));
}

}  // namespace
}  // namespace diptych
