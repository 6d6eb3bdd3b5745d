#include "diptych/io/json.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

namespace diptych {
namespace {

std::string nest(size_t levels) {
  return std::string(levels, '[') + std::string(levels, ']');
}

JsonFault fault_of(std::string_view text) {
  JsonFault fault;
  EXPECT_FALSE(parse_json(text, &fault)) << text;
  return fault;
}

TEST(ParseJson, GivesTheValue) {
  EXPECT_EQ(parse_json(R"({"a": [1, 2.5, null]})"), nlohmann::json::parse(R"({"a": [1, 2.5, null]})"));
  EXPECT_EQ(parse_json("null"), nlohmann::json());
}

TEST(ParseJson, TellsPlaceAndReason) {
  const JsonFault fault = fault_of("[1,\n}");
  EXPECT_EQ(fault.byte, 5u);
  EXPECT_TRUE(fault.message.starts_with("syntax error")) << fault.message;
  EXPECT_FALSE(parse_json("[1,"));
}

TEST(ParseJson, LongTextsAreNotQuotedInFull) {
  EXPECT_LT(fault_of("\"" + std::string(100'000, 'a')).message.size(), 400u);
}

TEST(ParseJson, RefusesNumbersThatNoDoubleHolds) {
  const JsonFault fault = fault_of("[1e999]");
  EXPECT_EQ(fault.byte, 0u);
  EXPECT_EQ(fault.message, "number overflow parsing '1e999'");
  EXPECT_TRUE(parse_json("[1e-999, 123456789012345678901234567890]"));
}

TEST(ParseJson, RefusesDeepNestsAndNoOthers) {
  EXPECT_TRUE(parse_json(nest(256)));
  EXPECT_EQ(fault_of(nest(257)).byte, 257u);
  EXPECT_EQ(fault_of(R"({"a\\":)" + nest(100'000) + "}").byte, 263u);
  EXPECT_TRUE(parse_json("\"" + std::string(1000, '[') + "\\\"[\""));
  EXPECT_TRUE(parse_json("[" + std::string(999, ' ') + "[],[{}],[]]"));
}

}  // namespace
}  // namespace diptych
