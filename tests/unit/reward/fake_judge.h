#pragma once
// Judges for tests: they answer by themselves and remember what they were asked.

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "diptych/reward/chat/chat.h"
#include "diptych/reward/task.h"

namespace diptych {

inline ChatResult replied(const std::string& text) {
  ChatReply reply;
  reply.text = text;
  reply.finish_reason = "stop";
  return {reply, ""};
}

inline ChatResult replied(const std::string& text, std::vector<std::pair<std::string, double>> top) {
  ChatResult result = replied(text);
  const double logprob = top.empty() ? 0 : top.front().second;
  result.reply->tokens = {{text, logprob, std::move(top)}};
  return result;
}

inline ChatResult failed_request(const std::string& why) {
  return {std::nullopt, why};
}

/** The text of the last message. */
inline std::string question_in(const ChatRequest& request) {
  std::string text;
  for (const ChatPart& part : request.messages.back().parts) text += part.text;
  return text;
}

struct FakeJudge {
  std::function<ChatResult(const ChatRequest&)> answer;
  std::shared_ptr<std::vector<std::vector<ChatRequest>>> batches =
      std::make_shared<std::vector<std::vector<ChatRequest>>>();

  std::vector<ChatResult> operator()(const std::vector<ChatRequest>& requests) const {
    batches->push_back(requests);
    std::vector<ChatResult> results;
    for (const ChatRequest& request : requests) results.push_back(answer(request));
    return results;
  }
};

inline Image filled_image(uint8_t value, int side = 4) {
  return {side, side, std::vector<uint8_t>(static_cast<size_t>(side) * side * 3, value)};
}

inline TaskPrompt prompt_of(const std::string& text, std::vector<AtomicQuestion> questions = {}) {
  TaskPrompt prompt;
  prompt.text = text;
  prompt.questions = std::move(questions);
  return prompt;
}

inline Candidate candidate_of(std::vector<Image> images, std::vector<std::string> texts = {}) {
  Candidate candidate;
  candidate.images = std::move(images);
  candidate.texts = std::move(texts);
  return candidate;
}

}  // namespace diptych
