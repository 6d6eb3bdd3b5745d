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

TEST(Base64, DecodesWhatItEncodes) {
  for (size_t size = 0; size < 40; ++size) {
    std::vector<uint8_t> bytes;
    for (size_t i = 0; i < size; ++i) bytes.push_back(static_cast<uint8_t>(37 * i + 200));
    std::string text = base64_encode(bytes);
    EXPECT_EQ(base64_decode(text), bytes);
    while (text.ends_with('=')) text.pop_back();
    EXPECT_EQ(base64_decode(text), bytes);
  }
}

TEST(Base64, RefusesOtherForms) {
  for (const char* text : {"Z", "Zg=", "Zm9vY", "Zm 9v", "Zm9v\n", "Zm-v", "Zg==Zg==", "Zh==", "===="})
    EXPECT_FALSE(base64_decode(text)) << text;
}

}  // namespace
}  // namespace diptych
