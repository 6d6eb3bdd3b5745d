#include "diptych/train/run/stop.h"

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

bool is_ignored(int signal) {
  struct sigaction action {};
  sigaction(signal, nullptr, &action);
  return action.sa_handler == SIG_IGN;
}

}  // namespace

std::vector<int> stop_signals() {
  // Shells start what runs in the background with SIGINT ignored, and it may still be meant by whoever sends it.
  std::vector<int> signals = {SIGINT, SIGTERM};
  for (int signal : {SIGHUP, SIGUSR1, SIGUSR2, SIGXCPU})
    if (!is_ignored(signal)) signals.push_back(signal);
  return signals;
}

void StopSignals::handle(int signal, void (*handler)(int), int flags) {
  struct sigaction action {};
  action.sa_handler = handler;
  sigemptyset(&action.sa_mask);
  action.sa_flags = flags;
  previous_.push_back({signal, {}});
  sigaction(signal, &action, &previous_.back().action);
}

StopSignals::StopSignals() {
  received_signal.store(0, std::memory_order_relaxed);
  for (int signal : stop_signals()) {
    // A launcher may send the others twice, so only an impatient Ctrl-C falls back to the default action.
    const int once = signal == SIGINT ? static_cast<int>(SA_RESETHAND) : 0;
    handle(signal, remember_signal, SA_RESTART | once);
  }
  handle(SIGPIPE, SIG_IGN, 0);
}

StopSignals::~StopSignals() {
  for (const Previous& previous : previous_) sigaction(previous.signal, &previous.action, nullptr);
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
