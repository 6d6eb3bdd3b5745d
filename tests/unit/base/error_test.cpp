#include "diptych/base/error.h"

#include <gtest/gtest.h>

namespace diptych {
namespace {

TEST(ErrorTest, AnotherLineKeepsTextAndCode) {
  const Error error = Error(ExitCode::model, {"here", "this", "that", "do it"}).with_line("or not");
  EXPECT_EQ(error.code(), ExitCode::model);
  EXPECT_STREQ(error.what(), "here: expected this, got that\n  hint: do it\n  or not");
}

}  // namespace
}  // namespace diptych
