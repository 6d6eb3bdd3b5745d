#include "diptych/io/base64.h"

#include <gtest/gtest.h>

#include <vector>

namespace diptych {
namespace {

std::string encode(const std::string& text) {
  return base64_encode(std::vector<uint8_t>(text.begin(), text.end()));
}

TEST(Base64, TestVectorsOfRfc4648) {
  EXPECT_EQ(encode(""), "");
  EXPECT_EQ(encode("f"), "Zg==");
  EXPECT_EQ(encode("fo"), "Zm8=");
  EXPECT_EQ(encode("foo"), "Zm9v");
  EXPECT_EQ(encode("foob"), "Zm9vYg==");
  EXPECT_EQ(encode("foobar"), "Zm9vYmFy");
  EXPECT_EQ(encode("\xff\xef\xbe"), "/+++");
}

}  // namespace
}  // namespace diptych
