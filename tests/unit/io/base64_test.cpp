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

TEST(Base64, ReadsWhatOtherEncodersWrite) {
  const std::vector<uint8_t> bytes = {0xfb, 0xff, 0xbf, 'a'};
  for (const char* text :
       {"+/+/YQ==", "-_-_YQ==", "+_-/YQ", "+/+/YQ=", "+/+/\r\nYQ==\r\n", " +/ +/ YQ = = ", "\n+/+/\tYQ"})
    EXPECT_EQ(base64_decode(text), bytes) << text;
}

TEST(Base64, RefusesOtherForms) {
  for (const char* text : {"Z", "Zm9vY", "Zm9vY===", "Zg===", "Zm8==", "Zm9v=", "=",
                           "====", "=Zg=", "Zg==Zg==", "Zg=Zg", "Zh==", "Zm,v", "Zm9v\x01", "Zm9v.", "Zm%2B"})
    EXPECT_FALSE(base64_decode(text)) << text;
}

}  // namespace
}  // namespace diptych
