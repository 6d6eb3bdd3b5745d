#include "diptych/reward/decompose/decompose_cache.h"

#include <cassert>
#include <nlohmann/json.hpp>

#include "diptych/base/error.h"
#include "diptych/base/text_format.h"
#include "diptych/io/files.h"

namespace diptych {

namespace fs = std::filesystem;
using nlohmann::json;

DecomposeCache::DecomposeCache(const fs::path& path, std::string model, ChatFunction chat)
    : path_(path), model_(std::move(model)), chat_(std::move(chat)), writer_(path) {
  read_json_lines(path, [&](int64_t line, const json& value) {
    const auto is_text = [&](const char* key) {
      return value.is_object() && value.contains(key) && value[key].is_string();
    };
    if (!is_text("key") || !is_text("reply"))
      throw Error(ExitCode::data, {cat(path.string(), ":", line), "an object with a key and a reply", value.dump(),
                                   "is this another file? --cache names the one to use"});
    replies_[value["key"].get<std::string>()] = {value["reply"].get<std::string>(), /*is_old=*/true};
  });
}

std::string DecomposeCache::key_of(const ChatRequest& request) const {
  json content = {{"model", model_},        {"temperature", request.temperature},
                  {"top_p", request.top_p}, {"max_tokens", request.max_tokens},
                  {"seed", request.seed},   {"messages", json::array()}};
  for (const ChatMessage& message : request.messages) {
    for (const ChatPart& part : message.parts) {
      assert(!part.image);
      content["messages"].push_back({message.role, part.text});
    }
  }
  return hash_bytes(content.dump(-1, ' ', false, json::error_handler_t::replace));
}

void DecomposeCache::keep(const std::string& key, const Question& question, const ChatReply& reply) {
  writer_.write({{"key", key}, {"stage", question.stage}, {"prompt", question.prompt}, {"reply", reply.text}});
  replies_[key] = {reply.text, /*is_old=*/false};
  counts_.prompt_tokens += reply.prompt_tokens;
  counts_.completion_tokens += reply.completion_tokens;
}

bool DecomposeCache::is_known(const std::string& key, bool afresh) const {
  const auto kept = replies_.find(key);
  return kept != replies_.end() && !(afresh && kept->second.is_old);
}

std::vector<DecomposeCache::Answer> DecomposeCache::ask(const std::vector<Question>& questions) {
  std::vector<std::string> keys;
  std::vector<size_t> asked;                       // first question of each new key
  std::unordered_map<std::string, size_t> number;  // new key -> index into `asked`
  for (const Question& question : questions) {
    keys.push_back(key_of(question.request));
    if (!is_known(keys.back(), question.afresh) && number.try_emplace(keys.back(), asked.size()).second)
      asked.push_back(keys.size() - 1);
  }
  std::vector<ChatRequest> requests;
  for (const size_t index : asked) requests.push_back(questions[index].request);
  const std::vector<ChatResult> answers = requests.empty() ? std::vector<ChatResult>() : chat_(requests);
  assert(answers.size() == requests.size());
  for (size_t i = 0; i < asked.size(); ++i)
    if (answers[i].reply) keep(keys[asked[i]], questions[asked[i]], *answers[i].reply);
  counts_.calls += static_cast<int64_t>(asked.size());
  counts_.hits += static_cast<int64_t>(questions.size() - asked.size());
  std::vector<Answer> results;
  for (size_t i = 0; i < questions.size(); ++i) {
    results.emplace_back();
    if (is_known(keys[i], questions[i].afresh)) {
      const Kept& kept = replies_.at(keys[i]);
      results.back().result.reply.emplace();
      results.back().result.reply->text = kept.reply;
      results.back().is_old = kept.is_old;
    } else {
      results.back().result = answers[number.at(keys[i])];
    }
  }
  return results;
}

}  // namespace diptych
