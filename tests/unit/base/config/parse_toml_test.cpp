#include "diptych/base/config/parse_toml.h"

#include <gtest/gtest.h>

namespace diptych {
namespace {

/** a.a. ... .a with this many parts. */
std::string key(size_t parts) {
  std::string text = "a";
  for (size_t part = 1; part < parts; ++part) text += ".a";
  return text;
}

TomlFault fault_of(const std::string& text) {
  TomlFault fault;
  EXPECT_EQ(parse_toml(text, "x.toml", fault), nullptr) << text.substr(0, 100);
  return fault;
}

void expect_table(const std::string& text) {
  TomlFault fault;
  EXPECT_NE(parse_toml(text, "x.toml", fault), nullptr) << fault.line << ": " << fault.message;
}

TEST(ParseToml, GivesTheTable) {
  TomlFault fault;
  const auto table = parse_toml("[run]\nseed = 3\n", "x.toml", fault);
  ASSERT_NE(table, nullptr);
  EXPECT_EQ((*table)["run"]["seed"].value<int64_t>(), 3);
}

TEST(ParseToml, TellsLineAndReason) {
  const TomlFault fault = fault_of("[run]\nseed = \n");
  EXPECT_EQ(fault.line, 2);
  EXPECT_FALSE(fault.message.empty());
  EXPECT_EQ(fault_of("\na = [}\n").line, 2);
}

TEST(ParseToml, RefusesKeysOfTooManyParts) {
  expect_table(key(16) + " = 1");
  for (const size_t parts : {size_t{17}, size_t{200'000}}) {
    for (const std::string& text :
         {key(parts) + " = 1", "[" + key(parts) + "]", "[[" + key(parts) + "]]", "b = [{" + key(parts) + " = 1}]"}) {
      EXPECT_EQ(fault_of("# \"\n\n" + text).line, 3);
      EXPECT_NE(fault_of(text).message.find("16 parts"), std::string::npos);
    }
  }
  EXPECT_EQ(fault_of("'a b' . \"c\\\" # d\" . " + key(15) + " = 1").line, 1);
}

// toml++ 3.3 has undefined behaviour there, which a sanitizer tells.
TEST(ParseToml, RefusesLettersBeyondAsciiOutsideQuotes) {
  for (const std::string text :
       {"\u00e9 = 1", "a\u00e9 = 1", "a = 1\u00e9", "a = [1, \u00e9]", "[\u00e9]", "a = 3\"\u00e9"})
    EXPECT_EQ(fault_of("# caf\u00e9\nb = \"\u00e9\"\n" + text).line, 3);
  expect_table("\xef\xbb\xbf\"caf\u00e9\" = '\u00e9'  # \u00e9\na = \"\"\"\u00e9 \\\n \u00e9\"\"\"");
}

TEST(ParseToml, CountsNoDotsOfValuesAndComments) {
  const std::string dots = key(40);
  expect_table("# " + dots + "\nb = \"" + dots + "\"\nc = '" + dots + "'  # " + dots);
  expect_table("b = \"\"\"\n" + dots + " \\\"\"\" " + dots + "\"\"\"\nc = '''" + dots + "\n" + dots + "'''");
  std::string numbers = "0.5";
  for (int i = 0; i < 40; ++i) numbers += ", 0.5";
  expect_table("b = [" + numbers + "]\nc = {d = 0.5, e.f = 1.5}");
}

}  // namespace
}  // namespace diptych
