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

}  // namespace diptych
