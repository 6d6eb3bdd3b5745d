#pragma once
// Chat requests and replies as the JSON of OpenAI-compatible servers (benchmarks.md 8).

#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "diptych/reward/chat/chat.h"

namespace diptych {

/** The value of `messages` in the body of POST {base}/chat/completions, as JSON text. `image_urls`: one for each image
 *  part, in order, of characters that JSON does not escape. A message of one text is sent as a string, any other as a
 *  list of parts in the given order. */
std::string chat_messages(const ChatRequest& request, std::span<const std::string_view> image_urls);

/** The sampling parameters, as an object of the same body. */
nlohmann::json chat_parameters(const ChatRequest& request);

/** A reply, or what is wrong with it. */
struct ChatParse {
  std::optional<ChatReply> reply;
  ChatFailure failure = ChatFailure::malformed;
  std::string failure_text;  // a sentence
  int status = 0;            // HTTP status that an error object names, 0 if none
};

/** Reads the body of a reply with status 2xx. If `top_logprobs` > 0, the first token must carry sound
 * log-probabilities; a later one that does not, such as an end token, has no alternatives. Content may be a string or a
 * list of parts; thoughts come from `reasoning_content` or `reasoning`, blank ones count as none. A refusal, or a
 * finish reason that names a filter, is the failure `declined`. Log-probabilities up to 1e-3 count as 0, since servers
 * round; null and larger ones are failures. */
ChatParse parse_chat_reply(const std::string& body, int top_logprobs);

/** `declined` or `no_quota` where the body of an error, of any status, says so by its code or type; nullopt for all
 * other bodies. Messages do not count: Gemini words a limit per minute as OpenAI words an empty account. */
std::optional<ChatFailure> failure_of_error_body(const std::string& body);

/** A reply to JSON and back, for the cache. from_json throws nlohmann::json::exception for another shape. */
nlohmann::json chat_reply_to_json(const ChatReply& reply);
ChatReply chat_reply_from_json(const nlohmann::json& value);

/** The beginning of a text on one line, for error messages. */
std::string excerpt(const std::string& text);

}  // namespace diptych
