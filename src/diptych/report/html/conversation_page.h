#pragma once
// Conversations between a person and a model as one HTML page that needs no other file and no script.

#include <string>
#include <utility>
#include <vector>

#include "diptych/io/image/image.h"

namespace diptych {

enum class Speaker { person, model };

enum class ConversationPartKind {
  text,           // shown as it is
  system_prompt,  // folded away
  thinking,       // muted, can be folded away
  image,          // `text` is what is told to those who cannot see it
  note,           // a remark of the program, not of a speaker
};

struct ConversationPart {
  ConversationPartKind kind = ConversationPartKind::text;
  std::string text;  // UTF-8; line breaks are kept
  Image image = {};
};

/** What one speaker gives or says at a time, in order. */
struct ConversationMessage {
  Speaker speaker = Speaker::person;
  std::string label;  // above the message; may be empty
  std::vector<ConversationPart> parts;
};

struct Conversation {
  std::string title;
  std::vector<ConversationMessage> messages;
  std::string end;  // how it ended; may be empty
};

/** The image as a `data:` URI. Scaled down to at most 1024 pixels a side; up to 512 a side, and so every small image,
 * it is a PNG with the very same pixels, above a JPEG. */
std::string data_uri(const Image& image);

/** One conversation as a section of a page. Images shorter than 256 pixels are shown enlarged by a whole number with
 *  sharp pixels. */
std::string conversation_section(const Conversation& conversation);

/** The page of some sections. `facts`: (name, value), how the conversations came about. */
std::string conversation_page(const std::string& title, const std::vector<std::pair<std::string, std::string>>& facts,
                              const std::vector<std::string>& sections);

}  // namespace diptych
