#pragma once
// One request to a chat model and its reply, as OpenAI-compatible servers speak. Transport is elsewhere
// (reward/judge/judge.h): everything that asks a model takes a ChatFunction, so that tests can answer themselves.

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "diptych/io/image/image.h"

namespace diptych {

/** How the bytes of an image travel: part of the protocol of a reward, since judges see the difference. */
enum class ImageEncoding { png, jpeg };

/** Requests about one image share it. */
using SharedImage = std::shared_ptr<const Image>;

inline SharedImage shared_image(Image image) {
  return std::make_shared<const Image>(std::move(image));
}

/** One part of a message, a text or an image. The order of parts is part of the protocol. */
struct ChatPart {
  std::string text;
  SharedImage image = nullptr;  // set: the part is an image and `text` is empty
  ImageEncoding encoding = ImageEncoding::jpeg;
  int jpeg_quality = 95;
};

struct ChatMessage {
  std::string role;  // "system", "user" or "assistant"
  std::vector<ChatPart> parts;
};

/** Sampling parameters are always sent: servers' defaults differ (benchmarks.md 8). */
struct ChatRequest {
  std::vector<ChatMessage> messages;
  double temperature = 0;
  double top_p = 1;
  int max_tokens = 10;
  int top_logprobs = 0;  // 0: no log-probabilities are asked for
  int64_t seed = 0;
};

/** A token of the reply with the alternatives that the server lists, itself included. Natural logarithms. */
struct ChatToken {
  std::string token;
  double logprob = 0;
  std::vector<std::pair<std::string, double>> top;
};

struct ChatReply {
  std::string text;               // content of the message
  std::string reasoning;          // thoughts that the server split off; a judge must have none
  std::string finish_reason;      // "stop", "length", ...
  std::vector<ChatToken> tokens;  // empty unless log-probabilities were asked for and came
  int64_t prompt_tokens = 0;      // usage; 0 where the server does not say
  int64_t completion_tokens = 0;
};

/** A reply, or why there is none after all retries. */
struct ChatResult {
  std::optional<ChatReply> reply;
  std::string failure;  // empty if and only if there is a reply
};

/** Asks all requests, concurrently where it can; one result each, in order. Never throws for a failed request. */
using ChatFunction = std::function<std::vector<ChatResult>(const std::vector<ChatRequest>&)>;

}  // namespace diptych
