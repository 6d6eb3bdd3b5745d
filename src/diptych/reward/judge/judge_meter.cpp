#include "diptych/reward/judge/judge_meter.h"

namespace diptych {

JudgeMeter::JudgeMeter(std::vector<std::string> urls, int64_t places) : busy_(places) {
  for (std::string& url : urls) statistics_.endpoints.push_back({std::move(url)});
}

void JudgeMeter::count_encoded(size_t images) {
  const std::lock_guard lock(mutex_);
  statistics_.images_encoded += static_cast<int64_t>(images);
}

void JudgeMeter::count_cache_hit() {
  const std::lock_guard lock(mutex_);
  ++statistics_.cache_hits;
}

void JudgeMeter::count_result(const ChatResult& result) {
  const std::lock_guard lock(mutex_);
  ++statistics_.requests;
  ++(result.reply ? statistics_.answered : statistics_.failed);
}

void JudgeMeter::count_unsent(ChatFailure failure, size_t requests) {
  if (requests == 0) return;
  const std::lock_guard lock(mutex_);
  statistics_.failures[std::string(to_string(failure))] += static_cast<int64_t>(requests);
}

void JudgeMeter::count_try(size_t endpoint, bool is_retry) {
  const std::lock_guard lock(mutex_);
  ++statistics_.sent;
  ++statistics_.endpoints[endpoint].sent;
  statistics_.retries += is_retry ? 1 : 0;
}

void JudgeMeter::count_reply(const ChatReply& reply, double seconds) {
  const std::lock_guard lock(mutex_);
  latencies_.add(seconds);
  statistics_.prompt_tokens += reply.prompt_tokens;
  statistics_.completion_tokens += reply.completion_tokens;
}

void JudgeMeter::count_failure(size_t endpoint, ChatFailure failure) {
  const std::lock_guard lock(mutex_);
  ++statistics_.endpoints[endpoint].failed;
  ++statistics_.failures[std::string(to_string(failure))];
}

void JudgeMeter::note_resting(size_t endpoint, bool is_resting) {
  const std::lock_guard lock(mutex_);
  statistics_.endpoints[endpoint].is_resting = is_resting;
}

void JudgeMeter::note_busy(double now, int64_t in_use, bool has_demand) {
  const std::lock_guard lock(mutex_);
  busy_.change(now, in_use, has_demand);
}

void JudgeMeter::discount_busy(double seconds) {
  const std::lock_guard lock(mutex_);
  busy_.discount(seconds);
}

JudgeStatistics JudgeMeter::statistics() const {
  const std::lock_guard lock(mutex_);
  JudgeStatistics statistics = statistics_;
  statistics.latency_p50 = latencies_.quantile(0.5);
  statistics.latency_p95 = latencies_.quantile(0.95);
  statistics.busy_share = busy_.value();
  return statistics;
}

}  // namespace diptych
