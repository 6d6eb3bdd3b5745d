#pragma once
// A child process that is spoken to in lines.

#include <sys/types.h>

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace diptych {

class LineProcess {
 public:
  using Clock = std::chrono::steady_clock;
  enum class State { running, ended, timed_out };

  /** Starts command[0], which is searched in PATH, in a process group of its own, with `environment` as its variables
   * ("NAME=value"). Lines of its standard error are logged behind `log_prefix`. Throws Error(config) if it cannot be
   * started; `where` names the recipe key. */
  LineProcess(const std::vector<std::string>& command, std::vector<std::string> environment, const std::string& where,
              std::string log_prefix);
  /** Ends its input, waits up to two seconds for its end, then kills its process group. */
  ~LineProcess();
  LineProcess(const LineProcess&) = delete;
  LineProcess& operator=(const LineProcess&) = delete;

  /** Puts a line, given without its end, behind those that wait to be sent. */
  void queue(std::string_view line);
  /** Lines since the start of the process: queued, and sent whole. */
  int64_t lines_queued() const { return lines_queued_; }
  int64_t lines_sent() const { return lines_sent_; }
  /** Waits a tenth of a second at most until there is something to send or to read, does so, and appends lines of its
   * output to `lines`: without their ends, blank ones left out. A carriage return ends a line too, as progress bars
   * have it. `ended`: all of its output has been read, and it is gone. It is ended with its process group when it has
   * exited, though children of its own hold the output open; when it has closed its output; two seconds after it has
   * closed its input; and at a line of more than a mebibyte. */
  State exchange(std::vector<std::string>& lines, Clock::time_point deadline);
  /** What it has written of a line that has no end yet. */
  const std::string& unfinished_line() const { return partial_output_; }
  /** Kills its process group. The object is of no use afterwards. */
  void kill();
  /** After `ended`: "exit status 1", "signal 9 (Killed)", "it closed its standard output". */
  const std::string& how_it_ended() const { return how_it_ended_; }

 private:
  void send_some();
  bool read_output(std::vector<std::string>& lines);
  void read_errors();
  void end_within(Clock::duration grace, std::string reason);
  bool has_exited() const;

  std::string log_prefix_;
  pid_t pid_ = -1;
  int input_ = -1;  // our ends, none of them blocking
  int output_ = -1;
  int errors_ = -1;
  std::string unsent_;
  std::string partial_output_;
  std::string partial_errors_;
  int64_t lines_queued_ = 0;
  int64_t lines_sent_ = 0;
  std::string end_reason_;  // set: it is to be gone by end_by_, or is killed
  Clock::time_point end_by_;
  std::string how_it_ended_;
};

}  // namespace diptych
