#include "diptych/reward/judge/judge_statistics.h"

#include <algorithm>
#include <cmath>

namespace diptych {

void LatencyWindow::add(double seconds) {
  if (seconds_.size() < kSize) seconds_.push_back(0);
  seconds_[next_] = seconds;
  next_ = (next_ + 1) % kSize;
}

double LatencyWindow::quantile(double q) const {
  if (seconds_.empty()) return 0;
  std::vector<double> sorted = seconds_;
  std::sort(sorted.begin(), sorted.end());
  const double rank = std::ceil(q * static_cast<double>(sorted.size()));
  return sorted[static_cast<size_t>(std::max(1.0, rank)) - 1];
}

void BusyShare::change(double now, int64_t in_use, bool has_demand) {
  if (has_demand_) {
    busy_ += (now - last_) * in_use_;
    possible_ += (now - last_) * places_;
  }
  last_ = now;
  in_use_ = static_cast<double>(in_use);
  has_demand_ = has_demand;
}

void BusyShare::discount(double seconds) {
  if (has_demand_) busy_ = std::max(0.0, busy_ - seconds);
}

double BusyShare::value() const {
  return possible_ > 0 ? busy_ / possible_ : 0;
}

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
