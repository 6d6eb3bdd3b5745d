#pragma once
// Replies that were paid for are kept: equal requests to the same model are asked once, in this run and later ones.

#include <cstdint>
#include <filesystem>
#include <string>
#include <unordered_map>
#include <vector>

#include "diptych/io/json_lines.h"
#include "diptych/reward/chat/chat.h"

namespace diptych {

/** A chat function with a memory on disk: JSON lines of {"key", "stage", "prompt", "reply"}, appended as replies come.
 *  The key is a hash of the model's name and of the whole request, template text included; "stage" and "prompt" are for
 *  people who look into the file. Of two lines with one key the later counts. Failed requests are not kept. */
class DecomposeCache {
 public:
  struct Question {
    std::string stage;
    std::string prompt;
    ChatRequest request;  // text parts only
    bool afresh = false;  // a reply that was kept before this object was made does not count
  };
  struct Answer {
    ChatResult result;
    bool is_old = false;  // kept before this object was made
  };
  struct Counts {
    int64_t calls = 0;  // requests that went to the server, failed ones included
    int64_t hits = 0;   // answered from the file, or by an equal request of the same call
    int64_t prompt_tokens = 0;
    int64_t completion_tokens = 0;
  };

  /** Opens or creates the file; an unfinished last line is cut off. Throws Error(io) and Error(data). */
  DecomposeCache(const std::filesystem::path& path, std::string model, ChatFunction chat);

  /** One answer each, in order. */
  std::vector<Answer> ask(const std::vector<Question>& questions);

  const Counts& counts() const { return counts_; }
  const std::filesystem::path& path() const { return path_; }

 private:
  struct Kept {
    std::string reply;
    bool is_old = false;
  };
  std::string key_of(const ChatRequest& request) const;
  bool is_known(const std::string& key, bool afresh) const;
  void keep(const std::string& key, const Question& question, const ChatReply& reply);

  std::filesystem::path path_;
  std::string model_;
  ChatFunction chat_;
  JsonLinesWriter writer_;
  std::unordered_map<std::string, Kept> replies_;
  Counts counts_;
};

}  // namespace diptych
