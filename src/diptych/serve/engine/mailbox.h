#pragma once
// The events of one job, on their way from the engine to the connection that waits for them.

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "diptych/io/image/image.h"
#include "diptych/serve/api_error.h"

namespace diptych {

/** A sampled token with natural logarithms of the whole vocabulary's softmax at temperature 1. */
struct TokenScore {
  std::string bytes;
  double logprob = 0;
  std::vector<std::pair<std::string, double>> top;  // most probable first
};

/** The job has left the queue. */
struct JobStarted {
  int64_t prompt_tokens = 0;
  int64_t cached_tokens = 0;  // of the prompt, found in the cache
};

/** A token of text `choice` was sampled. */
struct TextAdded {
  int64_t choice = 0;
  std::string text;                 // may be empty: see TextAssembler
  std::optional<TokenScore> score;  // where the job asks for it
};

struct TextDone {
  int64_t choice = 0;
  std::string text;         // the rest of it
  const char* reason = "";  // "stop" or "length"
  int64_t tokens = 0;       // sampled
};

struct ImageDone {
  int64_t choice = 0;
  Image image;
  std::string thinking;
  int64_t tokens = 0;  // sampled
};

struct JobFailed {
  ApiError error;
};

using JobEvent = std::variant<JobStarted, TextAdded, TextDone, ImageDone, JobFailed>;

/** Both sides may call all members. */
class Mailbox {
 public:
  /** A reader that leaves more than `capacity` events unread counts as gone. */
  explicit Mailbox(size_t capacity) : capacity_(capacity) {}

  void push(JobEvent event);

  /** The next event, or nothing if none comes within the time. */
  std::optional<JobEvent> wait(std::chrono::milliseconds time);

  /** Nobody waits any longer: the job may be dropped. */
  void abandon();
  bool abandoned() const;

 private:
  const size_t capacity_;
  mutable std::mutex mutex_;
  std::condition_variable arrived_;
  std::deque<JobEvent> events_;
  bool abandoned_ = false;
};

}  // namespace diptych
