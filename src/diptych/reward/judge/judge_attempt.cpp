#include "diptych/reward/judge/judge_attempt.h"

#include <algorithm>
#include <cmath>

#include "diptych/base/text_format.h"
#include "diptych/io/http/retry_after.h"
#include "diptych/reward/chat/chat_json.h"

namespace diptych {

namespace {

// A shorter key, such as vLLM's customary EMPTY, is no secret but may well be a word of an answer.
constexpr size_t kShortestSecret = 8;

JudgeAttempt failed(ChatFailure failure, std::string text) {
  JudgeAttempt attempt;
  attempt.failure = failure;
  attempt.failure_text = std::move(text);
  attempt.is_retryable = failure != ChatFailure::refused && failure != ChatFailure::stopped &&
                         failure != ChatFailure::declined && failure != ChatFailure::no_quota;
  attempt.is_endpoint_fault = attempt.is_retryable && failure != ChatFailure::rate_limited;
  return attempt;
}

ChatFailure failure_of_transport(HttpFailure failure) {
  switch (failure) {
    case HttpFailure::timeout:
      return ChatFailure::timeout;
    case HttpFailure::too_large:
      return ChatFailure::too_large;
    case HttpFailure::cancelled:
      return ChatFailure::stopped;
    default:
      return ChatFailure::connection;
  }
}

ChatFailure failure_of_status(int status) {
  if (status == 402) return ChatFailure::no_quota;
  if (status == 429) return ChatFailure::rate_limited;
  if (status == 408 || status == 409 || status == 425 || status >= 500) return ChatFailure::server_error;
  return ChatFailure::refused;
}

std::string hint_of(ChatFailure failure, int status) {
  if (failure == ChatFailure::no_quota) return " (the account is empty: waiting does not help)";
  if (failure == ChatFailure::declined) return " (declined)";
  if (status >= 300 && status < 400) return " (redirects are not followed; give the new address)";
  if (status == 401 || status == 403) return " (check the key in the variable that api_key_env names)";
  if (status == 404) return " (check the base URL, which often ends in /v1, and the model's name)";
  return "";
}

JudgeAttempt read_body(const HttpReply& reply, int top_logprobs) {
  if (!reply.content_type.empty() && reply.content_type.find("json") == std::string::npos)
    return failed(ChatFailure::malformed,
                  cat("the reply is ", reply.content_type, " instead of JSON: ", excerpt(reply.body)));
  ChatParse parse = parse_chat_reply(reply.body, top_logprobs);
  if (!parse.reply) {
    const bool has_status = parse.failure == ChatFailure::server_error && parse.status >= 400;
    const ChatFailure failure = has_status ? failure_of_status(parse.status) : parse.failure;
    return failed(failure, cat(parse.failure_text, failure == ChatFailure::no_quota ? hint_of(failure, 0) : ""));
  }
  JudgeAttempt attempt;
  attempt.reply = std::move(parse.reply);
  return attempt;
}

}  // namespace

JudgeAttempt judge_attempt(const HttpReply& reply, int top_logprobs, std::time_t now) {
  if (reply.failure != HttpFailure::none) return failed(failure_of_transport(reply.failure), reply.failure_text);
  if (reply.status >= 200 && reply.status < 300) return read_body(reply, top_logprobs);
  const ChatFailure failure = failure_of_error_body(reply.body).value_or(failure_of_status(reply.status));
  JudgeAttempt attempt =
      failed(failure, cat("status ", reply.status, hint_of(failure, reply.status), ": ", excerpt(reply.body)));
  if (attempt.is_retryable) attempt.rest_seconds = retry_after_seconds(reply.retry_after, now);
  return attempt;
}

double backoff_seconds(int64_t tries, double base, double longest, double jitter, double uniform) {
  const double full = std::min(longest, base * std::exp2(static_cast<double>(tries - 1)));
  return full * (1 - jitter + jitter * uniform);
}

std::string without_key(std::string text, const std::string& key) {
  if (key.size() < kShortestSecret) return text;
  for (size_t place = text.find(key); place != std::string::npos; place = text.find(key, place))
    text.replace(place, key.size(), "[key]");
  return text;
}

}  // namespace diptych
