#include "diptych/serve/requests/multipart.h"

#include <gtest/gtest.h>

#include "diptych/serve/api_error.h"

namespace diptych {
namespace {

const std::string kType = "multipart/form-data; boundary=xyz";

std::string part(const std::string& head, const std::string& content) {
  return "--xyz\r\n" + head + "\r\n\r\n" + content + "\r\n";
}

TEST(MultipartTest, PartsComeInOrderWithTheirBytes) {
  const std::string bytes("\r\n--xy\0\r\n\r\n", 11);
  const std::string body =
      "preamble\r\n" + part("Content-Disposition: form-data; name=\"a\"", "one") +
      part("content-type: image/png\r\ncontent-disposition: form-data; filename=\"f \\\"1\\\".png\"; name=\"b\"",
           bytes) +
      part("Content-Disposition: form-data; name=c", "") + "--xyz--\r\n";
  const std::vector<FormPart> parts = parse_multipart(body, kType);
  ASSERT_EQ(parts.size(), 3U);
  EXPECT_EQ(parts[0].name, "a");
  EXPECT_EQ(parts[0].filename, "");
  EXPECT_EQ(parts[0].content, "one");
  EXPECT_EQ(parts[1].name, "b");
  EXPECT_EQ(parts[1].filename, "f \"1\".png");
  EXPECT_EQ(parts[1].content, bytes);
  EXPECT_EQ(parts[2].name, "c");
  EXPECT_EQ(parts[2].content, "");
}

TEST(MultipartTest, QuotedBoundary) {
  EXPECT_EQ(parse_multipart(part("Content-Disposition: form-data; name=\"a\"", "1") + "--xyz--",
                            "multipart/form-data; charset=utf-8; boundary=\"xyz\"")
                .size(),
            1U);
}

TEST(MultipartTest, EveryCutOfABodyIsRefused) {
  const std::string body = part("Content-Disposition: form-data; name=\"a\"", "one") + "--xyz--";
  for (size_t size = 0; size < body.size(); ++size)
    EXPECT_THROW(parse_multipart(body.substr(0, size), kType), ApiError) << size;
  EXPECT_EQ(parse_multipart(body, kType).size(), 1U);
}

TEST(MultipartTest, OtherFormsAreRefused) {
  const std::string good = part("Content-Disposition: form-data; name=\"a\"", "one") + "--xyz--";
  EXPECT_THROW(parse_multipart(good, "multipart/form-data"), ApiError);
  EXPECT_THROW(parse_multipart(good, "multipart/form-data; boundary=" + std::string(71, 'x')), ApiError);
  EXPECT_THROW(parse_multipart(good, "multipart/form-data; xboundary=xyz"), ApiError);
  EXPECT_THROW(parse_multipart(part("Content-Type: text/plain", "one") + "--xyz--", kType), ApiError);
  EXPECT_THROW(parse_multipart(part("Content-Disposition: form-data", "one") + "--xyz--", kType), ApiError);
  EXPECT_THROW(parse_multipart(part(std::string(100000, 'h'), "one") + "--xyz--", kType), ApiError);
  std::string many;
  for (int i = 0; i < 65; ++i) many += part("Content-Disposition: form-data; name=\"a\"", "one");
  EXPECT_THROW(parse_multipart(many + "--xyz--", kType), ApiError);
}

}  // namespace
}  // namespace diptych
