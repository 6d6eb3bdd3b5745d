#pragma once
// A polite end: a signal that asks for it sets a flag that training reads between two pieces of work.

#include <csignal>
#include <vector>

namespace diptych {

/** The signals that ask this process to end: SIGINT, SIGTERM, and what terminals send as they close, schedulers ahead
 *  of a time limit, and the kernel at a limit of processor time: SIGHUP, SIGUSR1, SIGUSR2, SIGXCPU. Of these four
 *  those are left out that it was started to ignore, as by nohup. */
std::vector<int> stop_signals();

/** While it lives, the first SIGINT and each of the other stop_signals() only set the flag, and the first of them says
 *  so; a second SIGINT ends the process at once (the default action). Nor does it end because whoever read its output
 *  has gone (SIGPIPE): a run is worth more than its log. At most one object at a time; the destructor restores the
 *  previous handlers. */
class StopSignals {
 public:
  /** Clears the flag and installs the handlers. */
  StopSignals();
  ~StopSignals();
  StopSignals(const StopSignals&) = delete;
  StopSignals& operator=(const StopSignals&) = delete;

 private:
  struct Previous {
    int signal;
    struct sigaction action;
  };
  void handle(int signal, void (*handler)(int), int flags);
  std::vector<Previous> previous_;
};

/** True once one of them came. Cheap; callable from any thread. */
bool stop_requested();

/** Throws Error(interrupted) if so. For places between two packs of a step that has changed nothing yet: it is dropped,
 *  and done again by the continuation. */
void stop_if_requested();

/** The signal that asked for the stop, 0 for none. */
int stop_signal();

}  // namespace diptych
