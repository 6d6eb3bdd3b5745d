#include "diptych/serve/http/access.h"

#include <gtest/gtest.h>

#include "diptych/base/ascii.h"
#include "diptych/serve/api_error.h"

namespace diptych {
namespace {

/** 200, or the status of the refusal. */
int status(const AccessRules& rules, const RequestSource& source) {
  try {
    check_access(rules, source);
    return 200;
  } catch (const ApiError& error) {
    return error.status;
  }
}

TEST(AccessTest, KeysAreEqualOnlyIfAllBytesAre) {
  EXPECT_TRUE(equal_in_constant_time("Bearer key", "Bearer key"));
  EXPECT_TRUE(equal_in_constant_time("", ""));
  for (const char* other : {"", "Bearer ke", "Bearer key ", "bearer key", "Bearer keyBearer key"}) {
    EXPECT_FALSE(equal_in_constant_time(other, "Bearer key")) << other;
    EXPECT_FALSE(equal_in_constant_time("Bearer key", other)) << other;
  }
}

TEST(AccessTest, TheSchemeMayBeWrittenInAnyCase) {
  const AccessRules rules{.api_key = "se cret", .origins = {}};
  for (const char* header :
       {"Bearer se cret", "bearer se cret", "BEARER se cret", "bEaReR   se cret  ", "Bearer\tse cret"})
    EXPECT_EQ(status(rules, {header, "", ""}), 200) << header;
  for (const char* header : {"", "Bearer", "Bearer ", "Bearerse cret", "se cret", "Basic se cret", "Bearer secret",
                             "Bearer SE CRET", "Bearer se cret x", "Bearer bearer se cret"})
    EXPECT_EQ(status(rules, {header, "", ""}), 401) << header;
}

TEST(AccessTest, PagesAreRefusedUnlessTheyAreAllowed) {
  AccessRules rules;
  EXPECT_EQ(status(rules, {}), 200);
  for (const char* origin : {"https://evil.example", "http://localhost:8000", "null", "chrome-extension://abc"})
    EXPECT_EQ(status(rules, {"", origin, "127.0.0.1:8000"}), 403) << origin;
  rules.origins = {"http://localhost:3000"};
  EXPECT_EQ(status(rules, {"", "http://localhost:3000", "127.0.0.1"}), 200);
  EXPECT_EQ(status(rules, {"", "http://localhost:3001", "127.0.0.1"}), 403);
  EXPECT_EQ(allowed_origin(rules, "http://localhost:3000"), "http://localhost:3000");
  EXPECT_EQ(allowed_origin(rules, "http://localhost"), "");
  rules.origins = {"*"};
  EXPECT_EQ(status(rules, {"", "https://evil.example", "evil.example"}), 200);
  EXPECT_EQ(allowed_origin(rules, "https://evil.example"), "*");
  EXPECT_EQ(allowed_origin(rules, ""), "");
  // A page that knows the key is a client as any other.
  EXPECT_EQ(status({.api_key = "k", .origins = {}}, {"Bearer k", "https://evil.example", "x"}), 200);
}

TEST(AccessTest, NamesOfTheInternetAreNoNamesOfThisMachine) {
  AccessRules rules;
  for (const char* host : {"", "localhost", "localhost:8000", "LOCALHOST.", "127.0.0.1:8000", "[::1]:8000",
                           "gpu-node:8000", "a.localhost", "box.local:1", "pod.internal"})
    EXPECT_EQ(status(rules, {"", "", host}), 200) << host;
  for (const char* host : {"evil.example", "evil.example:8000", "127.0.0.1.evil.example", "localhost.evil.example."})
    EXPECT_EQ(status(rules, {"", "", host}), 403) << host;
  rules.origins = {"https://api.example.org"};
  EXPECT_EQ(status(rules, {"", "", "api.example.org"}), 200);
  rules = {.api_key = "", .origins = {}, .loopback = false};
  EXPECT_EQ(status(rules, {"", "", "evil.example"}), 200);
}

TEST(AccessTest, OriginsHaveNoPath) {
  for (const char* text : {"*", "http://localhost:3000", "https://a.example", "app://chat", "chrome-extension://abc"})
    EXPECT_TRUE(is_origin(text)) << text;
  for (const char* text :
       {"", "localhost:3000", "http://", "http://a/", "http://a/b", "http://*.a", "://a", "http://a b"})
    EXPECT_FALSE(is_origin(text)) << text;
}

TEST(AccessTest, KeysComeWithoutBlanks) {
  EXPECT_EQ(trimmed(" \tsecret\r\n", kHeaderBlanks), "secret");
  EXPECT_EQ(trimmed("a b", kHeaderBlanks), "a b");
  EXPECT_EQ(trimmed(" \n ", kHeaderBlanks), "");
  EXPECT_EQ(trimmed("", kHeaderBlanks), "");
}

}  // namespace
}  // namespace diptych
