#include "diptych/reward/judge/response_cache.h"

#include <nlohmann/json.hpp>

#include "diptych/base/error.h"
#include "diptych/base/log.h"
#include "diptych/base/text_format.h"
#include "diptych/reward/chat/chat_json.h"

namespace diptych {

using nlohmann::json;

ResponseCache::ResponseCache(int64_t entries, const std::filesystem::path& file)
    : entries_(static_cast<size_t>(entries)) {
  if (file.empty()) return;
  writer_ = std::make_unique<JsonLinesWriter>(file);  // mends a last line that a power cut left unfinished
  read_json_lines(file, [&](int64_t line, const json& value) {
    try {
      remember(value.at("key").get<std::string>(), chat_reply_from_json(value.at("reply")));
    } catch (const json::exception& error) {
      throw Error(ExitCode::data, {cat(file.string(), ":", line), "a cached reply of a judge", error.what(),
                                   "delete the line or the file; its requests are asked again"});
    }
  });
}

std::optional<ChatReply> ResponseCache::find(const std::string& key) const {
  const std::lock_guard lock(mutex_);
  const auto found = replies_.find(key);
  return found == replies_.end() ? std::nullopt : std::optional(found->second);
}

void ResponseCache::store(const std::string& key, const std::string& request, const ChatReply& reply) {
  const std::lock_guard lock(mutex_);
  if (writer_ != nullptr) {
    try {
      writer_->write({{"key", key}, {"request", json::parse(request)}, {"reply", chat_reply_to_json(reply)}});
    } catch (const Error& error) {
      log_warning(cat("the judge's replies are no longer written: ", error.what()));
      writer_.reset();
    }
  }
  remember(key, reply);
}

void ResponseCache::remember(const std::string& key, ChatReply reply) {
  if (!replies_.insert_or_assign(key, std::move(reply)).second) return;
  age_.push_back(key);
  if (age_.size() <= entries_) return;
  replies_.erase(age_.front());
  age_.pop_front();
}

}  // namespace diptych
