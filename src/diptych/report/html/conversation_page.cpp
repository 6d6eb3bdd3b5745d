#include "diptych/report/html/conversation_page.h"

#include <algorithm>

#include "diptych/base/text_format.h"
#include "diptych/io/base64.h"
#include "diptych/io/image/resize.h"
#include "diptych/report/html/conversation_style.h"
#include "diptych/report/html/escape.h"

namespace diptych {

namespace {

constexpr int kLongestEmbedded = 1024;  // pixels
constexpr int kLongestLossless = 512;
constexpr int kJpegQuality = 90;
constexpr int kEnlargedTo = 256;

int longest_side(const Image& image) {
  return std::max(image.width, image.height);
}

Image shrunk(const Image& image) {
  const double scale = static_cast<double>(kLongestEmbedded) / longest_side(image);
  const auto side = [&](int pixels) { return std::max(1, static_cast<int>(pixels * scale)); };
  return resize_bicubic(image, side(image.width), side(image.height));
}

std::string uri(const char* type, const std::vector<uint8_t>& bytes) {
  return cat("data:image/", type, ";base64,", base64_encode(bytes));
}

std::string image_html(const ConversationPart& part) {
  const int enlarged = std::max(1, kEnlargedTo / longest_side(part.image));
  return cat("<img", enlarged > 1 ? " class=\"small\"" : "", " width=\"", part.image.width * enlarged, "\" height=\"",
             part.image.height * enlarged, "\" alt=\"", escape_html(part.text), "\" src=\"", data_uri(part.image),
             "\">");
}

std::string folded_part_html(const char* name, bool open, const std::string& text) {
  return cat("<details class=\"folded\"", open ? " open" : "", "><summary>", name, "</summary><p>", escape_html(text),
             "</p></details>");
}

std::string part_html(const ConversationPart& part) {
  switch (part.kind) {
    case ConversationPartKind::text:
      return cat("<p class=\"text\">", escape_html(part.text), "</p>");
    case ConversationPartKind::system_prompt:
      return folded_part_html("System prompt", false, part.text);
    case ConversationPartKind::thinking:
      return folded_part_html("Thinking", true, part.text);
    case ConversationPartKind::image:
      return image_html(part);
    case ConversationPartKind::note:
      return cat("<p class=\"note\">", escape_html(part.text), "</p>");
  }
  return "";
}

std::string message_html(const ConversationMessage& message) {
  std::string html =
      message.speaker == Speaker::person ? "<div class=\"message person\">\n" : "<div class=\"message model\">\n";
  if (!message.label.empty()) html += cat("<p class=\"label\">", escape_html(message.label), "</p>\n");
  html += "<div class=\"bubble\">\n";
  for (const ConversationPart& part : message.parts) html += part_html(part) + "\n";
  return html + "</div>\n</div>\n";
}

}  // namespace

std::string data_uri(const Image& image) {
  const Image embedded = longest_side(image) > kLongestEmbedded ? shrunk(image) : image;
  return longest_side(embedded) > kLongestLossless ? uri("jpeg", encode_jpeg(embedded, kJpegQuality))
                                                   : uri("png", encode_png(embedded));
}

std::string conversation_section(const Conversation& conversation) {
  std::string html = cat("<section>\n<h2>", escape_html(conversation.title), "</h2>\n");
  for (const ConversationMessage& message : conversation.messages) html += message_html(message);
  if (!conversation.end.empty()) html += cat("<p class=\"end\">", escape_html(conversation.end), "</p>\n");
  return html + "</section>\n";
}

std::string conversation_page(const std::string& title, const std::vector<std::pair<std::string, std::string>>& facts,
                              const std::vector<std::string>& sections) {
  std::string html =
      cat("<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
          "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
          "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; img-src data:; "
          "style-src 'unsafe-inline'\">\n<title>",
          escape_html(title), "</title>\n<style>", kConversationStyle, "</style>\n</head>\n<body>\n<header>\n<h1>",
          escape_html(title), "</h1>\n<dl>\n");
  for (const auto& [name, value] : facts)
    html += cat("<dt>", escape_html(name), "</dt><dd>", escape_html(value), "</dd>\n");
  html += "</dl>\n</header>\n<main>\n";
  for (const std::string& section : sections) html += section;
  return html + "</main>\n</body>\n</html>\n";
}

}  // namespace diptych
