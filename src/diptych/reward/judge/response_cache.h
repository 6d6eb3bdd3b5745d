#pragma once
// Replies that were paid for: equal requests are asked once, in this run and, with a file, in its continuation.

#include <cstdint>
#include <deque>
#include <filesystem>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <unordered_map>

#include "diptych/io/json_lines.h"
#include "diptych/reward/chat/chat.h"

namespace diptych {

/** The latest replies in memory, and all of them in a file of JSON lines {"key", "request", "reply"} where one is
 *  given. Thread-safe. */
class ResponseCache {
 public:
  /** Reads the file if it exists; an empty path means memory only. Throws Error(io), and Error(data) for lines that are
   *  no replies. */
  ResponseCache(int64_t entries, const std::filesystem::path& file);

  std::optional<ChatReply> find(const std::string& key) const;
  /** `request` is for people who look into the file. A file that cannot be written, say on a full disk, costs a warning
   *  and is left alone from then on: it is no reason to lose a run. */
  void store(const std::string& key, const std::string& request, const ChatReply& reply);

 private:
  void remember(const std::string& key, ChatReply reply);

  const size_t entries_;
  mutable std::mutex mutex_;
  std::unordered_map<std::string, ChatReply> replies_;
  std::deque<std::string> age_;  // keys, oldest first
  std::unique_ptr<JsonLinesWriter> writer_;
};

}  // namespace diptych
