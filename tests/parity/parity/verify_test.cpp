// The model against the official code: every item of `diptych verify` on the fixture folder.

#include "diptych/parity/verify.h"

#include <ATen/Parallel.h>
#include <gtest/gtest.h>

#include "support/fixtures.h"

namespace diptych {
namespace {

class Verify : public ::testing::TestWithParam<std::string> {
 protected:
  void SetUp() override { at::set_num_threads(1); }

  void expect_pass(at::ScalarType dtype) {
    const std::vector<ItemResult> results = verify_folder(fixture_folder() / "bagel_tiny", dtype, {GetParam()});
    ASSERT_EQ(results.size(), 1u);
    const ItemResult& result = results.front();
    EXPECT_EQ(result.status, ItemStatus::passed)
        << (result.status == ItemStatus::absent ? "absent" : "failed") << "; worst " << result.where << ": error "
        << result.error << ", tolerance " << result.tolerance << "; " << result.detail;
    EXPECT_GT(result.values, 0);
  }
};

TEST_P(Verify, Float32) {
  expect_pass(at::kFloat);
}

TEST_P(Verify, Float64) {
  expect_pass(at::kDouble);
}

INSTANTIATE_TEST_SUITE_P(Items, Verify, ::testing::ValuesIn(item_names()), [](const auto& item) {
  std::string name = item.param;
  std::replace(name.begin(), name.end(), ' ', '_');
  return name;
});

}  // namespace
}  // namespace diptych
