#pragma once

#include <string_view>

namespace diptych {

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

}  // namespace diptych
