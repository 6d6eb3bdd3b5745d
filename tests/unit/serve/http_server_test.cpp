#include "diptych/tensor/torch.h"

#include "diptych/serve/http_server.h"

#include <gtest/gtest.h>

namespace diptych {
namespace {

TEST(HttpServerTest, KeysAreEqualOnlyIfAllBytesAre) {
  EXPECT_TRUE(equal_in_constant_time("Bearer key", "Bearer key"));
  EXPECT_TRUE(equal_in_constant_time("", ""));
  for (const char* other : {"", "Bearer ke", "Bearer key ", "bearer key", "Bearer keyBearer key"}) {
    EXPECT_FALSE(equal_in_constant_time(other, "Bearer key")) << other;
    EXPECT_FALSE(equal_in_constant_time("Bearer key", other)) << other;
  }
}

}  // namespace
}  // namespace diptych
