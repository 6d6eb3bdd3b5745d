#include "diptych/parity/verify.h"

#include <gtest/gtest.h>

#include "support/fixtures.h"

namespace diptych {
namespace {

TEST(Verify, Quick) {
  for (const ItemResult& r : verify_folder(fixture_folder() / "bagel_tiny")) {
    std::printf("%-24s %d %8ld %.3e %.3e %s\n    %s\n", r.item.c_str(), (int)r.status, r.values, r.error, r.tolerance,
                r.where.c_str(), r.detail.c_str());
    EXPECT_EQ(r.status, ItemStatus::passed);
  }
}

}  // namespace
}  // namespace diptych
