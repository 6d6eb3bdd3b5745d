#include "diptych/train/stop.h"

#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <string_view>

#include "diptych/base/error.h"

namespace diptych {

namespace {

std::atomic<int> received_signal = 0;
static_assert(std::atomic<int>::is_always_lock_free, "only a lock-free flag may be written by a signal handler");

void remember_signal(int signal) {
  const int earlier = received_signal.exchange(signal, std::memory_order_relaxed);
  if (earlier != 0) return;
  constexpr std::string_view kSaid =
      "\ndiptych: asked to end, as soon as what is under way allows; Ctrl-C once more ends at once\n";
  const int error = errno;
  // Nobody to tell it to is no reason for anything else to fail.
  [[maybe_unused]] const ssize_t written = ::write(STDERR_FILENO, kSaid.data(), kSaid.size());
  errno = error;
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
  received_signal.store(0, std::memory_order_relaxed);
}

bool stop_requested() {
  return stop_signal() != 0;
}

void stop_if_requested() {
  if (stop_requested()) throw Error(ExitCode::interrupted, {"this step", "to be done", "a signal to end", ""});
}

int stop_signal() {
  return received_signal.load(std::memory_order_relaxed);
}

}  // namespace diptych
