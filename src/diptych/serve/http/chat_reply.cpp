#include "diptych/serve/http/chat_reply.h"

#include <algorithm>

#include "diptych/text/unicode.h"

namespace diptych {

namespace {

constexpr double kLeastLogprob = -9999;  // JSON has no infinity

nlohmann::json token_json(const std::string& bytes, double logprob) {
  nlohmann::json numbers = nlohmann::json::array();
  for (const char byte : bytes) numbers.push_back(static_cast<unsigned char>(byte));
  return {{"token", repair_utf8(bytes)}, {"logprob", std::max(logprob, kLeastLogprob)}, {"bytes", std::move(numbers)}};
}

nlohmann::json score_json(const TokenScore& score) {
  nlohmann::json entry = token_json(score.bytes, score.logprob);
  entry["top_logprobs"] = nlohmann::json::array();
  for (const auto& [bytes, logprob] : score.top) entry["top_logprobs"].push_back(token_json(bytes, logprob));
  return entry;
}

nlohmann::json empty_logprobs() {
  return {{"content", nlohmann::json::array()}, {"refusal", nullptr}};
}

nlohmann::json usage_json(int64_t prompt, int64_t cached, int64_t completion) {
  return {{"prompt_tokens", prompt},
          {"completion_tokens", completion},
          {"total_tokens", prompt + completion},
          {"prompt_tokens_details", {{"cached_tokens", cached}}}};
}

nlohmann::json head_json(const ReplyHead& head, const char* object) {
  return {{"id", head.id}, {"object", object}, {"created", head.created}, {"model", head.model}};
}

std::string event_line(const std::string& data) {
  return "data: " + data + "\n\n";
}

}  // namespace

std::string dump_json(const nlohmann::json& value) {
  return value.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

ChatCompletion::ChatCompletion(ReplyHead head, int64_t choices, bool logprobs)
    : head_(std::move(head)), open_(choices) {
  for (int64_t i = 0; i < choices; ++i)
    choices_.push_back({{"index", i},
                        {"message", {{"role", "assistant"}, {"content", ""}, {"refusal", nullptr}}},
                        {"logprobs", logprobs ? empty_logprobs() : nlohmann::json()},
                        {"finish_reason", nullptr}});
}

void ChatCompletion::add(const JobEvent& event) {
  if (const auto* failed = std::get_if<JobFailed>(&event)) throw failed->error;
  if (const auto* started = std::get_if<JobStarted>(&event)) {
    prompt_tokens_ = started->prompt_tokens;
    cached_tokens_ = started->cached_tokens;
  } else if (const auto* added = std::get_if<TextAdded>(&event)) {
    nlohmann::json& choice = choices_.at(static_cast<size_t>(added->choice));
    choice["message"]["content"].get_ref<std::string&>() += added->text;
    if (added->score) choice["logprobs"]["content"].push_back(score_json(*added->score));
  } else if (const auto* done = std::get_if<TextDone>(&event)) {
    nlohmann::json& choice = choices_.at(static_cast<size_t>(done->choice));
    choice["message"]["content"].get_ref<std::string&>() += done->text;
    choice["finish_reason"] = done->reason;
    completion_tokens_ += done->tokens;
    --open_;
  }
}

std::string ChatCompletion::body() const {
  nlohmann::json body = head_json(head_, "chat.completion");
  body["choices"] = choices_;
  body["usage"] = usage_json(prompt_tokens_, cached_tokens_, completion_tokens_);
  return dump_json(body);
}

ChatStream::ChatStream(ReplyHead head, int64_t choices, bool include_usage)
    : head_(std::move(head)), choices_(choices), open_(choices), include_usage_(include_usage) {}

std::string ChatStream::chunk(int64_t choice, nlohmann::json delta, nlohmann::json logprobs,
                              nlohmann::json reason) const {
  nlohmann::json body = head_json(head_, "chat.completion.chunk");
  body["choices"] = {{{"index", choice},
                      {"delta", std::move(delta)},
                      {"logprobs", std::move(logprobs)},
                      {"finish_reason", std::move(reason)}}};
  if (include_usage_) body["usage"] = nullptr;
  return event_line(dump_json(body));
}

std::string ChatStream::add(const JobEvent& event) {
  if (const auto* failed = std::get_if<JobFailed>(&event)) throw failed->error;
  if (const auto* started = std::get_if<JobStarted>(&event)) {
    prompt_tokens_ = started->prompt_tokens;
    cached_tokens_ = started->cached_tokens;
    std::string roles;
    for (int64_t i = 0; i < choices_; ++i)
      roles += chunk(i, {{"role", "assistant"}, {"content", ""}}, nullptr, nullptr);
    return roles;
  }
  if (const auto* added = std::get_if<TextAdded>(&event)) {
    if (added->text.empty() && !added->score) return "";
    nlohmann::json logprobs;
    if (added->score) {
      logprobs = empty_logprobs();
      logprobs["content"].push_back(score_json(*added->score));
    }
    return chunk(added->choice, {{"content", added->text}}, std::move(logprobs), nullptr);
  }
  if (const auto* done = std::get_if<TextDone>(&event)) {
    completion_tokens_ += done->tokens;
    --open_;
    nlohmann::json delta = nlohmann::json::object();
    if (!done->text.empty()) delta["content"] = done->text;
    return chunk(done->choice, std::move(delta), nullptr, done->reason);
  }
  return "";
}

std::string ChatStream::end() const {
  std::string last;
  if (include_usage_) {
    nlohmann::json body = head_json(head_, "chat.completion.chunk");
    body["choices"] = nlohmann::json::array();
    body["usage"] = usage_json(prompt_tokens_, cached_tokens_, completion_tokens_);
    last = event_line(dump_json(body));
  }
  return last + event_line("[DONE]");
}

std::string stream_error(const ApiError& error) {
  return event_line(error_json(error)) + event_line("[DONE]");
}

}  // namespace diptych
