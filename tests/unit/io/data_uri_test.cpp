#include "diptych/io/data_uri.h"

#include <gtest/gtest.h>

#include "support/expect_error.h"

namespace diptych {
namespace {

const std::vector<uint8_t> kBytes = {0xfb, 0xff, 0xbf, 'a'};  // "+/+/YQ==": both signs, and padding

TEST(DataUri, FormsThatProgramsWrite) {
  for (const char* uri :
       {"data:image/png;base64,+/+/YQ==", "data:image/jpg;base64,+/+/YQ==", "data:;base64,+/+/YQ==",
        "data:image;base64,+/+/YQ==", "data:image/png;charset=utf-8;base64,+/+/YQ==",
        "data:image/png;base64;charset=utf-8,+/+/YQ==", "data:image/png;name=\"a.png\";base64,+/+/YQ==",
        "DATA:IMAGE/PNG;BASE64,+/+/YQ==", "Data:image/png;Base64,+/+/YQ==", " data:image/png; base64 , +/+/YQ==\n",
        "data:image/png;base64,-_-_YQ", "data:image/png;base64,+/+/\r\nYQ==\r\n", "data:image/png;base64,+/ +/\tYQ",
        "data:image/png;base64,%2B%2F%2b/YQ%3D%3D", "data:image/png;base64,+/+/%0D%0AYQ==%20", "data:base64,+/+/YQ=="})
    EXPECT_EQ(decode_data_uri(uri, "image"), kBytes) << uri;
}

TEST(DataUri, OtherFormsAreRefused) {
  const auto refuse = [](const std::string& uri, const std::string& got) {
    expect_error([&] { decode_data_uri(uri, "the image"); }, ExitCode::data,
                 {"the image", "data:image/png;base64,", got});
  };
  refuse("", "another text");
  refuse("https://example.org/data:image/png;base64,YQ==", "another text");
  refuse("data", "another text");
  refuse("data:", "no comma");
  refuse("data:image/png;base64", "no comma");
  refuse("data:,YQ==", "no ;base64");
  refuse("data:image/png,YQ==", "no ;base64");
  refuse("data:image/png;base640,YQ==", "no ;base64");
  refuse("data:image/png;base64,", "no data");
  refuse("data:image/png;base64, \r\n%20", "no data");
  refuse("data:image/png;base64,Y", "not valid base64");
  refuse("data:image/png;base64,YQ==YQ==", "not valid base64");
  refuse("data:image/png;base64,YQ==,YQ==", "not valid base64");
  refuse("data:image/png;base64,%YQ==", "not valid base64");
  refuse("data:image/png;base64,YQ%3", "not valid base64");
  refuse("data:image/png;base64,YQ%+3", "not valid base64");
}

TEST(DataUri, IsToldFromAddresses) {
  EXPECT_TRUE(is_data_uri("data:,"));
  EXPECT_TRUE(is_data_uri("\n DATA:x"));
  for (const char* text : {"", "dat", "http://a/data:", "https://a", "file:///data:", "datum:"})
    EXPECT_FALSE(is_data_uri(text)) << text;
}

}  // namespace
}  // namespace diptych
