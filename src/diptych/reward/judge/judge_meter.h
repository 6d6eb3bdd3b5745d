#pragma once
// Where a judge counts. Thread-safe.

#include <mutex>
#include <string>
#include <vector>

#include "diptych/reward/chat/chat.h"
#include "diptych/reward/chat/chat_failure.h"
#include "diptych/reward/judge/judge_statistics.h"

namespace diptych {

class JudgeMeter {
 public:
  JudgeMeter(std::vector<std::string> urls, int64_t places);

  void count_encoded(size_t images);
  void count_cache_hit();
  /** A request ended. */
  void count_result(const ChatResult& result);
  /** Requests ended without a try, or without a further one. */
  void count_unsent(ChatFailure failure, size_t requests);
  void count_try(size_t endpoint, bool is_retry);
  /** A try ended so. `seconds` is the time of its transfer. */
  void count_reply(const ChatReply& reply, double seconds);
  void count_failure(size_t endpoint, ChatFailure failure);
  void note_resting(size_t endpoint, bool is_resting);

  /** As BusyShare. */
  void note_busy(double now, int64_t in_use, bool has_demand);
  void discount_busy(double seconds);

  JudgeStatistics statistics() const;

 private:
  mutable std::mutex mutex_;
  JudgeStatistics statistics_;
  LatencyWindow latencies_;
  BusyShare busy_;
};

}  // namespace diptych
