#pragma once
// One request to a chat model and its reply, as OpenAI-compatible servers speak. Transport is elsewhere
// (reward/judge/judge.h): everything that asks a model takes a ChatFunction, so that tests can answer themselves.

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
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

/** Why a request to a judge has no usable reply. */
enum class ChatFailure {
  connection,    // unknown host, refused, reset, cut off
  timeout,       // no reply in time, or one that drips in
  too_large,     // a reply beyond any sensible size
  rate_limited,  // 429
  server_error,  // 408, 409, 425, 5xx
  declined,      // a refusal or a content filter: the same request would be declined again
  no_quota,      // the account is empty, which waiting does not change
  refused,       // any other status that is not 2xx: asking again would not help
  malformed,     // broken JSON, another content type, missing fields
  no_logprobs,   // log-probabilities were asked for and did not come
  bad_logprobs,  // log-probabilities that cannot be: null, positive
  gave_up,       // never sent, since no endpoint answered for too long
  stopped,       // the judge was stopped
  unsendable,    // a request that cannot be written, such as one with a damaged image
};

/** Names for metrics, such as "rate_limited". */
constexpr std::string_view to_string(ChatFailure failure) {
  switch (failure) {
    case ChatFailure::connection:
      return "connection";
    case ChatFailure::timeout:
      return "timeout";
    case ChatFailure::too_large:
      return "too_large";
    case ChatFailure::rate_limited:
      return "rate_limited";
    case ChatFailure::server_error:
      return "server_error";
    case ChatFailure::declined:
      return "declined";
    case ChatFailure::no_quota:
      return "no_quota";
    case ChatFailure::refused:
      return "refused";
    case ChatFailure::malformed:
      return "malformed";
    case ChatFailure::no_logprobs:
      return "no_logprobs";
    case ChatFailure::bad_logprobs:
      return "bad_logprobs";
    case ChatFailure::gave_up:
      return "gave_up";
    case ChatFailure::stopped:
      return "stopped";
    case ChatFailure::unsendable:
      return "unsendable";
  }
  return "";
}

/** A reply, or why there is none after all retries. */
struct ChatResult {
  std::optional<ChatReply> reply;
  std::string failure;  // empty if and only if there is a reply
};

/** Asks all requests, concurrently where it can; one result each, in order. Never throws for a failed request. */
using ChatFunction = std::function<std::vector<ChatResult>(const std::vector<ChatRequest>&)>;

}  // namespace diptych
