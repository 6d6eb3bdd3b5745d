#include "diptych/serve/engine/mailbox.h"

namespace diptych {

void Mailbox::push(JobEvent event) {
  const std::lock_guard lock(mutex_);
  if (events_.size() >= capacity_) abandoned_ = true;
  if (abandoned_) return events_.clear();
  events_.push_back(std::move(event));
  arrived_.notify_one();
}

std::optional<JobEvent> Mailbox::wait(std::chrono::milliseconds time) {
  std::unique_lock lock(mutex_);
  if (!arrived_.wait_for(lock, time, [&] { return !events_.empty(); })) return std::nullopt;
  JobEvent event = std::move(events_.front());
  events_.pop_front();
  return event;
}

void Mailbox::abandon() {
  const std::lock_guard lock(mutex_);
  abandoned_ = true;
  events_.clear();
}

bool Mailbox::abandoned() const {
  const std::lock_guard lock(mutex_);
  return abandoned_;
}

}  // namespace diptych
