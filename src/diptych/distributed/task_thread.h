#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <future>
#include <mutex>
#include <thread>

namespace diptych {

/** One thread that runs tasks in the order in which they came. */
class TaskThread {
 public:
  /** The thread starts with the first task. */
  TaskThread() = default;
  /** Runs what still waits. */
  ~TaskThread();

  /** Ready when the task has run; holds what it threw. */
  std::future<void> start(std::function<void()> action);
  /** Waits until no task runs or waits. */
  void wait_until_idle();

 private:
  void run();

  std::mutex mutex_;  // of all the rest
  std::condition_variable changed_;
  std::deque<std::packaged_task<void()>> tasks_;
  bool busy_ = false;
  bool stop_ = false;
  std::thread thread_;
};

}  // namespace diptych
