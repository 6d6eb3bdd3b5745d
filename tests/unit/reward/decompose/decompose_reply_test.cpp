#include "diptych/reward/decompose/decompose_reply.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

namespace diptych {
namespace {

using nlohmann::json;
using Texts = std::vector<std::string>;

void expect_array(const std::string& reply, const json& expected) {
  const auto found = find_json_array(reply);
  ASSERT_TRUE(found) << reply;
  EXPECT_EQ(*found, expected) << reply;
}

TEST(DecomposeReply, FindsTheArrayInWhateverSurroundsIt) {
  expect_array(R"(["a?", "b?"])", {"a?", "b?"});
  expect_array("Sure [as asked]:\n```json\n[\"a?\",\n \"b?\"]\n```\nAnything else?", {"a?", "b?"});
  expect_array(R"(Here are [2] questions: ["a [1]?", "b \"]\" c?"] done])", {"a [1]?", "b \"]\" c?"});
  expect_array(R"({"questions": [{"number": 1, "tags": ["x"]}]})", json::parse(R"([{"number": 1, "tags": ["x"]}])"));
  expect_array("<think> [\"a much longer first draft of it?\"] </think>[\"a?\"]", json::parse(R"(["a?"])"));
  expect_array(R"([broken, ["a?"]])", json::parse(R"(["a?"])"));
  for (const std::string none : {"", "no array", "[\"cut off?\", \"in the", "{}", "[\"\xff?\"]"})
    EXPECT_FALSE(find_json_array(none)) << none;
}

TEST(DecomposeReply, BracketsWithoutEndAreNoArray) {
  EXPECT_FALSE(find_json_array(std::string(1'000'000, '[')));
  EXPECT_FALSE(find_json_array(std::string(100'000, '[') + std::string(100'000, ']')));
}

TEST(DecomposeReply, GenerateDropsRepeatedQuestions) {
  Texts questions;
  EXPECT_EQ(parse_generate_reply(R"([" Is there a cat? ", "is there a CAT?", "Is it red?"])", &questions), "");
  EXPECT_EQ(questions, (Texts{"Is there a cat?", "Is it red?"}));
}

TEST(DecomposeReply, GenerateRefusesWhatIsNoQuestion) {
  Texts questions;
  EXPECT_NE(parse_generate_reply("Is there a cat?", &questions), "");
  EXPECT_NE(parse_generate_reply("[]", &questions), "");
  for (const std::string item : {"1", "\"There is a cat.\"", "\"?\"", "\"a\\nb?\"", "{\"question\": \"a?\"}"})
    EXPECT_NE(parse_generate_reply("[\"a?\", " + item + "]", &questions).find("not a question"), std::string::npos);
}

TEST(DecomposeReply, ValidateGoesByNumbers) {
  std::vector<InvalidQuestion> invalid;
  EXPECT_EQ(parse_validate_reply(
                R"([{"number": 2, "valid": false, "reason": "optional"}, {"number": 1, "valid": true}])", 2, &invalid),
            "");
  ASSERT_EQ(invalid.size(), 1u);
  EXPECT_EQ(invalid[0].index, 1u);
  EXPECT_EQ(invalid[0].reason, "optional");
}

TEST(DecomposeReply, ValidateRefusesWhatDoesNotFitTheQuestions) {
  std::vector<InvalidQuestion> invalid;
  const std::string first = R"([{"number": 1, "valid": true}, )";
  for (const std::string second :
       {R"({"number": 1, "valid": true}])", R"({"number": 3, "valid": true}])", R"({"number": 0, "valid": true}])",
        R"({"number": "2", "valid": true}])", R"({"valid": true}])", R"({"number": 2, "valid": "yes"}])",
        R"({"number": 2}])", "true]", R"({"number": 2, "valid": true}, {"number": 3, "valid": true}])"})
    EXPECT_NE(parse_validate_reply(first + second, 2, &invalid), "") << second;
  EXPECT_NE(parse_validate_reply(R"([{"number": 1, "valid": true}])", 2, &invalid), "");
}

TEST(DecomposeReply, TagsAreTheSemanticClasses) {
  Texts tags;
  EXPECT_EQ(parse_tag_reply(R"([{"number": 2, "tag": "Text"}, {"number": 1, "tag": "Count"}])", 2, &tags), "");
  EXPECT_EQ(tags, (Texts{"Count", "Text"}));
  EXPECT_EQ(parse_tag_reply(R"([{"number": 1, "tag": "Colour"}])", 1, &tags), "unknown tag 'Colour'");
  EXPECT_NE(parse_tag_reply(R"([{"number": 1, "tag": "Physics"}])", 1, &tags), "");
  EXPECT_NE(parse_tag_reply(R"([{"number": 1}])", 1, &tags), "");
}

TEST(DecomposeReply, QualityQuestionsHaveQualityClasses) {
  std::vector<AtomicQuestion> questions;
  EXPECT_EQ(parse_quality_reply(R"([{"question": "Is it sharp?", "tag": "Geometry"},
                                    {"question": "is it sharp?", "tag": "Texture"},
                                    {"question": "Is it lit?", "tag": "Lighting"}])",
                                &questions),
            "");
  ASSERT_EQ(questions.size(), 2u);
  EXPECT_EQ(questions[1].kind, "quality");
  EXPECT_EQ(questions[1].tag, "Lighting");
  EXPECT_EQ(questions[1].text, "Is it lit?");
  EXPECT_EQ(questions[1].id, "q2");
  for (const std::string reply : {R"([{"question": "Is it?", "tag": "Count"}])", R"([{"question": "Is it?"}])",
                                  R"([{"question": "It is", "tag": "Physics"}])", R"(["Is it?"])", "[]", "yes"})
    EXPECT_NE(parse_quality_reply(reply, &questions), "") << reply;
}

}  // namespace
}  // namespace diptych
