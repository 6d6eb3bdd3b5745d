#include <gtest/gtest.h>

#include <map>
#include <set>

#include "diptych/shapes/edits/edit.h"

namespace diptych::shapes {
namespace {

std::vector<Edit> edits_of_all_kinds() {
  std::vector<Edit> edits;
  for (size_t kind = 0; kind < kEditKindNames.size(); ++kind)
    for (const Edit& edit : all_edits(static_cast<EditKind>(kind))) edits.push_back(edit);
  return edits;
}

TEST(EditWords, PlainWordsOfEveryKind) {
  Edit edit{.shape = Shape::circle, .colour = Colour::red, .new_shape = Shape::square, .new_colour = Colour::orange};
  edit.kind = EditKind::add;
  edit.cell = -1;
  EXPECT_EQ(instruction(edit), "add a red circle");
  edit.cell = 0;
  EXPECT_EQ(instruction(edit), "add a red circle at the top left");
  edit.kind = EditKind::remove;
  EXPECT_EQ(instruction(edit), "remove the red circle");
  edit.kind = EditKind::recolour;
  EXPECT_EQ(instruction(edit), "change the color of the red circle to orange");
  edit.kind = EditKind::move;
  edit.cell = 3;
  EXPECT_EQ(instruction(edit), "move the red circle to the bottom right");
  edit.kind = EditKind::replace;
  EXPECT_EQ(instruction(edit), "replace the red circle with an orange square");
  edit.kind = EditKind::resize;
  EXPECT_EQ(instruction(edit), "make the red circle bigger");
  edit.size = Size::small;
  EXPECT_EQ(instruction(edit), "make the red circle smaller");
  edit.kind = EditKind::background;
  edit.background = Background::mint;
  EXPECT_EQ(instruction(edit), "change the background to mint");
}

TEST(EditWords, EveryEditIsReadBackFromItsPlainWording) {
  for (const Edit& edit : edits_of_all_kinds()) {
    const std::optional<Edit> read = parse_instruction(instruction(edit));
    ASSERT_TRUE(read.has_value()) << instruction(edit);
    EXPECT_EQ(*read, edit) << instruction(edit);
  }
}

TEST(EditWords, OneWordingMeansOneEdit) {
  std::map<std::string, size_t> owners;
  const std::vector<Edit> edits = edits_of_all_kinds();
  for (size_t index = 0; index < edits.size(); ++index) {
    const std::vector<std::string> texts = wordings(edits[index]);
    EXPECT_GE(texts.size(), 2u);
    EXPECT_EQ(texts.front(), instruction(edits[index]));
    for (const std::string& text : texts) EXPECT_TRUE(owners.emplace(text, index).second) << text;
  }
}

TEST(EditWords, ReadsArticlesAndSpacesLeniently) {
  EXPECT_EQ(parse_instruction("add the orange ring"), parse_instruction("add an orange ring"));
  EXPECT_EQ(parse_instruction("remove a  black cross "), parse_instruction("remove the black cross"));
  EXPECT_TRUE(parse_instruction("add a orange ring").has_value());
}

TEST(EditWords, ReadsNoOtherText) {
  for (const char* text :
       {"", "add", "add a circle", "remove the red circles", "remove the red circle now", "Remove the red circle",
        "move the red circle to the middle", "change the background to red", "a photo of a red circle",
        "change the color of the red circle to red", "replace the red circle with a red circle"})
    EXPECT_FALSE(parse_instruction(text).has_value()) << text;
}

}  // namespace
}  // namespace diptych::shapes
