#pragma once
// A progress line on standard error: rewritten in place on a terminal, rare plain lines otherwise.

#include <chrono>
#include <cstdint>
#include <string>

namespace diptych {

/** Progress of `total` equal pieces of work, used from one thread. A terminal sees one line, rewritten at most ten
 *  times a second; a file sees at most one line each ten seconds, and the last state from finish(). */
class Progress {
 public:
  /** total <= 0: the end is unknown, so no percentage and no remaining time is shown. `before`: pieces that were done
   *  earlier, by a run that this one continues. */
  Progress(int64_t total, std::string label, int64_t before = 0);

  /** `done` pieces are done; `text` is shown behind the counts and may be empty. */
  void update(int64_t done, const std::string& text);

  /** Shows the last state and ends the line. Without an update nothing is shown; a second call does nothing. */
  void finish();

 private:
  using Clock = std::chrono::steady_clock;
  void show();

  int64_t total_;
  int64_t before_;
  std::string label_;
  bool terminal_;
  Clock::time_point start_;
  Clock::time_point shown_;
  bool pending_ = false;  // the last state has not been shown
  bool begun_ = false;
  bool finished_ = false;
  int64_t done_ = 0;
  std::string text_;
};

/** The line: `label 12/50 24 % 0:31 left  text`; elapsed in seconds, in which all but the pieces of `before` were done.
 */
std::string progress_line(const std::string& label, int64_t done, int64_t total, double elapsed,
                          const std::string& text, int64_t before = 0);

}  // namespace diptych
