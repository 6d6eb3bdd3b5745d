#pragma once
// Replies of POST /v1/chat/completions: one JSON object, or a stream of server-sent events.

#include <nlohmann/json.hpp>

#include "diptych/serve/engine/mailbox.h"

namespace diptych {

/** What every object of a reply begins with. */
struct ReplyHead {
  std::string id;
  int64_t created = 0;  // seconds since 1970
  std::string model;
};

/** A body that is always valid UTF-8. */
std::string dump_json(const nlohmann::json& value);

/** Collects the events of a chat. */
class ChatCompletion {
 public:
  ChatCompletion(ReplyHead head, int64_t choices, bool logprobs);
  void add(const JobEvent& event);  // throws the ApiError of JobFailed
  bool complete() const { return open_ == 0; }
  std::string body() const;

 private:
  ReplyHead head_;
  int64_t open_;
  int64_t prompt_tokens_ = 0;
  int64_t cached_tokens_ = 0;
  int64_t completion_tokens_ = 0;
  std::vector<nlohmann::json> choices_;
};

/** Turns the events of a chat into events of the stream. */
class ChatStream {
 public:
  ChatStream(ReplyHead head, int64_t choices, bool include_usage);
  std::string add(const JobEvent& event);  // throws the ApiError of JobFailed
  bool complete() const { return open_ == 0; }
  std::string end() const;  // usage, if asked for, and [DONE]

 private:
  std::string chunk(int64_t choice, nlohmann::json delta, nlohmann::json logprobs, nlohmann::json reason) const;

  ReplyHead head_;
  int64_t choices_;
  int64_t open_;
  bool include_usage_;
  int64_t prompt_tokens_ = 0;
  int64_t cached_tokens_ = 0;
  int64_t completion_tokens_ = 0;
};

/** What ends a stream that failed. */
std::string stream_error(const ApiError& error);

}  // namespace diptych
