#include "diptych/io/http/retry_after.h"

#include <gtest/gtest.h>

namespace diptych {
namespace {

TEST(RetryAfter, ReadsSecondsAndDates) {
  EXPECT_EQ(retry_after_seconds("120", 0), 120);
  EXPECT_EQ(retry_after_seconds("0", 0), 0);
  const std::time_t date = 784111777;  // the example of RFC 9110, 5.6.7
  EXPECT_EQ(retry_after_seconds("Sun, 06 Nov 1994 08:49:37 GMT", date - 90), 90);
  EXPECT_EQ(retry_after_seconds("Sun, 06 Nov 1994 08:49:37 GMT", date + 90), 0);
}

TEST(RetryAfter, IgnoresNonsense) {
  for (const char* header : {"", "soon", "-5", "99999999999999999999"})
    EXPECT_EQ(retry_after_seconds(header, 0), std::nullopt) << header;
}

}  // namespace
}  // namespace diptych
