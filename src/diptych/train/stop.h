#pragma once
// A polite end: SIGINT and SIGTERM set a flag that training reads between two pieces of work.

#include <csignal>

namespace diptych {

/** While it lives, the first SIGINT and every SIGTERM only set the flag, and the first of them says so; a second SIGINT
 * ends the process at once (the default action). At most one object at a time; the destructor restores the previous
 * handlers. */
class StopSignals {
 public:
  /** Clears the flag and installs the handlers. */
  StopSignals();
  ~StopSignals();
  StopSignals(const StopSignals&) = delete;
  StopSignals& operator=(const StopSignals&) = delete;

 private:
  struct sigaction previous_interrupt_;
  struct sigaction previous_terminate_;
};

/** True once SIGINT or SIGTERM came. Cheap; callable from any thread. */
bool stop_requested();

/** Throws Error(interrupted) if so. For places between two packs of a step that has changed nothing yet: it is dropped,
 *  and done again by the continuation. */
void stop_if_requested();

/** The signal that asked for the stop, 0 for none. */
int stop_signal();

}  // namespace diptych
