#pragma once
// What one HTTP reply means for a request: an answer, a reason to try again, or the end.

#include <cstdint>
#include <ctime>
#include <optional>
#include <string>

#include "diptych/io/http/http_client.h"
#include "diptych/reward/chat/chat.h"

namespace diptych {

struct JudgeAttempt {
  std::optional<ChatReply> reply;
  ChatFailure failure = ChatFailure::connection;  // meaningful without a reply
  std::string failure_text;                       // a sentence; empty if and only if there is a reply
  bool is_retryable = false;
  bool is_endpoint_fault = false;      // counts towards the endpoint's circuit breaker
  std::optional<double> rest_seconds;  // Retry-After
};

/** Retryable: no whole reply, 408, 409, 425, 429, 5xx, a 2xx that is malformed or lacks sound log-probabilities. An
 *  error object counts as the status it names. Any other status is final, and so, whatever the status, are a judge that
 *  declines and an account that is empty. `top_logprobs` as in the request. */
JudgeAttempt judge_attempt(const HttpReply& reply, int top_logprobs, std::time_t now);

/** Seconds before the next try after `tries` (>= 1) failed ones: base * 2^(tries - 1), at most `longest`, of which the
 *  share `jitter` is scaled by `uniform` in [0, 1). */
double backoff_seconds(int64_t tries, double base, double longest, double jitter, double uniform);

/** The text with every occurrence of the key replaced; servers like to quote it in error messages. */
std::string without_key(std::string text, const std::string& key);

}  // namespace diptych
