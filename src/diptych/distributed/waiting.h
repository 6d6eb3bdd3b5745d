#pragma once
// Waiting for other processes, with a look around from time to time. Templates, so that tests need no c10d.

#include <chrono>
#include <exception>
#include <functional>
#include <future>

namespace diptych {

/** Waits for a c10d::Work of Gloo's and calls `while_waiting` every `slice`: what it throws ends the wait. Throws what
 *  the work failed with. */
template <class Work>
void wait_for_work(Work& work, std::chrono::milliseconds slice, const std::function<void()>& while_waiting) {
  while (true) {
    try {
      work.wait(slice);
      return;
    } catch (const std::exception&) {
      // Either the work has failed or the slice is over, and then it may still have come to its end a moment later:
      // what was thrown does not tell. A work that is over says by itself how it went.
      if (work.isCompleted()) {
        work.wait();
        return;
      }
    }
    while_waiting();
  }
}

/** The same for what another thread does. */
inline void wait_for_thread(std::future<void>& done, std::chrono::milliseconds slice,
                            const std::function<void()>& while_waiting) {
  while (done.wait_for(slice) != std::future_status::ready) while_waiting();
  done.get();
}

}  // namespace diptych
