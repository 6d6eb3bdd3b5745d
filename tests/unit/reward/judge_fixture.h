#pragma once
// What tests of the judge share: replies as a server writes them, requests, and a configuration that loses no time.

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "diptych/reward/chat/chat.h"
#include "diptych/reward/judge/judge_config.h"
#include "support/misbehaving_server.h"

namespace diptych {

/** A sound reply with log-probabilities of its one token. */
inline nlohmann::json completion(const std::string& text = "Yes") {
  const nlohmann::json top = {{{"token", text}, {"logprob", -0.25}, {"bytes", nullptr}},
                              {{"token", "No"}, {"logprob", -1.5}, {"bytes", nullptr}}};
  return {{"object", "chat.completion"},
          {"choices",
           {{{"index", 0},
             {"finish_reason", "stop"},
             {"message", {{"role", "assistant"}, {"content", text}}},
             {"logprobs", {{"content", {{{"token", text}, {"logprob", -0.25}, {"top_logprobs", top}}}}}}}}},
          {"usage", {{"prompt_tokens", 20}, {"completion_tokens", 1}}}};
}

inline ServerReply sound(const std::string& text = "Yes") {
  return {.body = completion(text).dump()};
}

/** A question without a picture, with log-probabilities. */
inline ChatRequest question(const std::string& text) {
  ChatRequest request;
  request.messages = {{"user", {{.text = text}}}};
  request.top_logprobs = 5;
  return request;
}

inline std::vector<ChatRequest> numbered_questions(int count) {
  std::vector<ChatRequest> requests;
  for (int i = 0; i < count; ++i) requests.push_back(question("question " + std::to_string(i)));
  return requests;
}

inline ChatPart picture(uint8_t value, ImageEncoding encoding = ImageEncoding::jpeg) {
  return {.text = "", .image = shared_image({4, 6, std::vector<uint8_t>(72, value)}), .encoding = encoding};
}

/** No cache, no waits worth mentioning. */
inline JudgeConfig quick_config(const std::vector<std::string>& endpoints) {
  JudgeConfig config;
  config.endpoints = endpoints;
  config.model = "test-model";
  config.concurrency = 4;
  config.timeout_seconds = 30;
  config.retries = 3;
  config.backoff_base_seconds = 0.001;
  config.backoff_max_seconds = 0.004;
  config.give_up_seconds = 60;
  config.breaker_failures = 1000;
  config.breaker_rest_seconds = 0.01;
  config.cache = false;
  return config;
}

}  // namespace diptych
