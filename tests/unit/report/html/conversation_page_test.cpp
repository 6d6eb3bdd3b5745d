#include "diptych/report/html/conversation_page.h"

#include <gtest/gtest.h>

#include "diptych/io/base64.h"

namespace diptych {
namespace {

using Kind = ConversationPartKind;

Image image_of_size(int width, int height, uint8_t value) {
  return {height, width, std::vector<uint8_t>(static_cast<size_t>(width) * static_cast<size_t>(height) * 3, value)};
}

size_t occurrences(const std::string& text, const std::string& part) {
  size_t found = 0;
  for (size_t place = text.find(part); place != text.npos; place = text.find(part, place + part.size())) ++found;
  return found;
}

/** The image of a `data:image/TYPE;base64,` URI. */
Image decoded(const std::string& uri, const std::string& type) {
  const std::string start = "data:image/" + type + ";base64,";
  EXPECT_EQ(uri.substr(0, start.size()), start);
  return decode_image(base64_decode(uri.substr(start.size())).value(), "URI");
}

Conversation example() {
  Conversation conversation;
  conversation.title = "Prompt 3";
  conversation.messages = {
      {Speaker::person,
       "round 0",
       {{Kind::system_prompt, "think first"},
        {Kind::image, "cat.png", image_of_size(40, 20, 9)},
        {Kind::text, "remove the cat"}}},
      {Speaker::model,
       "",
       {{Kind::thinking, "a cat"}, {Kind::text, "no cat"}, {Kind::image, "0.png", image_of_size(700, 300, 200)}}}};
  conversation.end = "painted";
  return conversation;
}

/** Fails unless every element that is opened is closed in order. */
void expect_balanced(const std::string& html) {
  std::vector<std::string> open;
  for (size_t place = html.find('<'); place != html.npos; place = html.find('<', place + 1)) {
    const size_t end = html.find_first_of(" >", place);
    const std::string name = html.substr(place + 1, end - place - 1);
    if (name == "!DOCTYPE" || name == "meta" || name == "img") continue;
    if (name.front() != '/') {
      open.push_back(name);
      continue;
    }
    ASSERT_FALSE(open.empty()) << name;
    EXPECT_EQ("/" + open.back(), name);
    open.pop_back();
  }
  EXPECT_TRUE(open.empty());
}

TEST(DataUriTest, SmallImagesKeepEveryPixel) {
  Image image = image_of_size(5, 3, 0);
  for (size_t i = 0; i < image.pixels.size(); ++i) image.pixels[i] = static_cast<uint8_t>(i * 5);
  const Image back = decoded(data_uri(image), "png");
  EXPECT_EQ(back.width, 5);
  EXPECT_EQ(back.height, 3);
  EXPECT_EQ(back.pixels, image.pixels);
}

TEST(DataUriTest, LargeImagesAreJpegOfABoundedSize) {
  EXPECT_EQ(decoded(data_uri(image_of_size(512, 10, 50)), "png").width, 512);
  EXPECT_EQ(decoded(data_uri(image_of_size(513, 10, 50)), "jpeg").width, 513);
  const Image wide = decoded(data_uri(image_of_size(4096, 2, 50)), "jpeg");
  EXPECT_EQ(wide.width, 1024);
  EXPECT_EQ(wide.height, 1);
}

TEST(ConversationSectionTest, PartsStandInOrderInTheirMessages) {
  const std::string html = conversation_section(example());
  size_t place = 0;
  for (const char* part : {"<section>", "Prompt 3", "message person", "round 0", "<details class=\"folded\">",
                           "think first", "cat.png", "remove the cat", "message model",
                           "<details class=\"folded\" open>", "a cat", "no cat", "0.png", "painted", "</section>"}) {
    place = html.find(part, place);
    ASSERT_NE(place, html.npos) << part;
  }
  EXPECT_EQ(occurrences(html, "class=\"label\""), 1u);
  expect_balanced(html);
}

TEST(ConversationSectionTest, SmallImagesAreEnlargedWithSharpPixels) {
  const std::string html = conversation_section(example());
  EXPECT_NE(html.find("<img class=\"small\" width=\"240\" height=\"120\" alt=\"cat.png\" src=\"data:image/png"),
            html.npos);
  EXPECT_NE(html.find("<img width=\"700\" height=\"300\" alt=\"0.png\" src=\"data:image/jpeg"), html.npos);
}

TEST(ConversationSectionTest, EverythingFromOutsideIsEscaped) {
  const std::string attack = "\"><script>alert('x')</script>";
  Conversation conversation;
  conversation.title = attack;
  conversation.end = attack;
  conversation.messages = {{Speaker::person,
                            attack,
                            {{Kind::text, attack},
                             {Kind::system_prompt, attack},
                             {Kind::thinking, attack},
                             {Kind::note, attack},
                             {Kind::image, attack, image_of_size(2, 2, 0)}}}};
  const std::string page = conversation_page(attack, {{attack, attack}}, {conversation_section(conversation)});
  EXPECT_EQ(page.find("<script"), page.npos);
  EXPECT_EQ(occurrences(page, "&lt;script&gt;"), 12u);  // the page's title stands twice
  expect_balanced(page);
}

TEST(ConversationPageTest, NeedsNothingFromOutside) {
  const std::string page =
      conversation_page("Samples", {{"seed", "3"}}, {conversation_section(example()), conversation_section(example())});
  EXPECT_EQ(page.substr(0, 16), "<!DOCTYPE html>\n");
  EXPECT_EQ(occurrences(page, "<section>"), 2u);
  EXPECT_NE(page.find("<dt>seed</dt><dd>3</dd>"), page.npos);
  EXPECT_EQ(occurrences(page, "src=\""), occurrences(page, "src=\"data:image/"));
  for (const char* part : {"http://", "https://", "<script", "<link", "@import", "url("})
    EXPECT_EQ(page.find(part), page.npos) << part;
  for (const char* part : {"charset=\"utf-8\"", "name=\"viewport\"", "prefers-color-scheme: dark", "@media print",
                           "image-rendering: pixelated", "default-src 'none'"})
    EXPECT_NE(page.find(part), page.npos) << part;
  expect_balanced(page);
}

}  // namespace
}  // namespace diptych
