#include "diptych/train/stop.h"

#include <atomic>

namespace diptych {

namespace {

std::atomic<int> received_signal = 0;
static_assert(std::atomic<int>::is_always_lock_free, "only a lock-free flag may be written by a signal handler");

void remember_signal(int signal) {
  received_signal.store(signal, std::memory_order_relaxed);
}

}  // namespace

StopSignals::StopSignals() {
  received_signal.store(0, std::memory_order_relaxed);
  struct sigaction action {};
  action.sa_handler = remember_signal;
  sigemptyset(&action.sa_mask);
  action.sa_flags = SA_RESTART;
  sigaction(SIGTERM, &action, &previous_terminate_);
  // A launcher may send SIGTERM twice, so only an impatient Ctrl-C falls back to the default action.
  action.sa_flags = SA_RESTART | static_cast<int>(SA_RESETHAND);
  sigaction(SIGINT, &action, &previous_interrupt_);
}

StopSignals::~StopSignals() {
  sigaction(SIGTERM, &previous_terminate_, nullptr);
  sigaction(SIGINT, &previous_interrupt_, nullptr);
}

bool stop_requested() {
  return stop_signal() != 0;
}

int stop_signal() {
  return received_signal.load(std::memory_order_relaxed);
}

}  // namespace diptych
