#include "diptych/cli/commands/rank_processes.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <optional>

#include "diptych/base/error.h"
#include "diptych/base/log.h"
#include "diptych/base/text_format.h"
#include "diptych/distributed/reserved_port.h"
#include "diptych/train/run/stop.h"

namespace diptych {

namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

constexpr milliseconds kTerminationTime{10'000};  // between SIGTERM and SIGKILL
constexpr size_t kLongestLine = 1 << 16;
constexpr int kNotStarted = 127;  // as shells say it

[[noreturn]] void fail(const std::string& expected) {
  throw Error(ExitCode::io, {"launch", expected, std::strerror(errno), ""});
}

struct RankProcess {
  pid_t process = -1;  // -1 when it has ended
  int errors = -1;     // its standard error; -1 for rank 0, which has ours, and after its end
  std::string partial_line;
};

/** What this process had before it became a launcher, for its ranks. */
struct SignalsBefore {
  sigset_t blocked;
  struct sigaction broken_pipe;
};

/** What the child does between fork and exec. */
[[noreturn]] void become_rank(int rank, int count, int port, const std::vector<std::string>& arguments, pid_t parent,
                              int errors, const SignalsBefore& signals) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (::getppid() != parent) ::_exit(kNotStarted);  // it ended before the line above
  // Ctrl-C reaches all of the terminal's group: ranks hear of it from us, or they would get it twice.
  ::setpgid(0, 0);
  ::sigaction(SIGPIPE, &signals.broken_pipe, nullptr);
  ::sigprocmask(SIG_SETMASK, &signals.blocked, nullptr);
  const int nothing = ::open("/dev/null", O_RDWR | O_CLOEXEC);
  ::dup2(nothing, STDIN_FILENO);
  if (rank > 0) {
    ::dup2(nothing, STDOUT_FILENO);
    ::dup2(errors, STDERR_FILENO);
  }
  ::setenv("RANK", cat(rank).c_str(), 1);
  ::setenv("LOCAL_RANK", cat(rank).c_str(), 1);
  ::setenv("WORLD_SIZE", cat(count).c_str(), 1);
  ::setenv("LOCAL_WORLD_SIZE", cat(count).c_str(), 1);
  ::setenv("MASTER_ADDR", "127.0.0.1", 1);
  ::setenv("MASTER_PORT", cat(port).c_str(), 1);
  ::unsetenv("TORCHELASTIC_USE_AGENT_STORE");
  std::vector<std::string> texts = {"diptych"};
  texts.insert(texts.end(), arguments.begin(), arguments.end());
  std::vector<char*> pointers;
  for (std::string& text : texts) pointers.push_back(text.data());
  pointers.push_back(nullptr);
  ::execv("/proc/self/exe", pointers.data());
  ::_exit(kNotStarted);
}

class RankProcesses {
 public:
  RankProcesses(int count, const std::vector<std::string>& arguments, milliseconds grace) : grace_(grace) {
    sigset_t handled;
    sigemptyset(&handled);
    sigaddset(&handled, SIGCHLD);
    for (int signal : stop_signals()) sigaddset(&handled, signal);
    ::sigprocmask(SIG_BLOCK, &handled, &signals_before_.blocked);
    // The ranks do not end because whoever read their output has gone.
    struct sigaction ignored {};
    ignored.sa_handler = SIG_IGN;
    ::sigaction(SIGPIPE, &ignored, &signals_before_.broken_pipe);
    signals_ = ::signalfd(-1, &handled, SFD_CLOEXEC | SFD_NONBLOCK);
    if (signals_ < 0) fail("a free file descriptor");
    for (int rank = 0; rank < count; ++rank) start(rank, count, arguments);
  }

  ~RankProcesses() {
    send_all(SIGKILL);
    for (RankProcess& rank : ranks_) {
      if (rank.process >= 0) ::waitpid(rank.process, nullptr, 0);
      if (rank.errors >= 0) ::close(rank.errors);
    }
    if (signals_ >= 0) ::close(signals_);
    ::sigaction(SIGPIPE, &signals_before_.broken_pipe, nullptr);
    ::sigprocmask(SIG_SETMASK, &signals_before_.blocked, nullptr);
  }
  RankProcesses(const RankProcesses&) = delete;
  RankProcesses& operator=(const RankProcesses&) = delete;

  int run() {
    while (std::ranges::any_of(ranks_, [](const RankProcess& rank) { return rank.process >= 0; })) {
      wait_for_events();
      pass_on_signals();
      for (RankProcess& rank : ranks_) read_errors(rank);
      for (RankProcess& rank : ranks_) look_for_end(rank);
      if (failure_) end_the_others();
    }
    return failure_.value_or(stopped_);
  }

 private:
  int number_of(const RankProcess& rank) const { return static_cast<int>(&rank - ranks_.data()); }

  void start(int rank, int count, const std::vector<std::string>& arguments) {
    int pipe[2] = {-1, -1};
    if (rank > 0 && ::pipe2(pipe, O_CLOEXEC) != 0) fail("a free file descriptor");
    const pid_t parent = ::getpid();
    const pid_t child = ::fork();
    if (child == 0) become_rank(rank, count, port_.number(), arguments, parent, pipe[1], signals_before_);
    if (pipe[1] >= 0) ::close(pipe[1]);
    if (pipe[0] >= 0) ::fcntl(pipe[0], F_SETFL, O_NONBLOCK);
    ranks_.push_back({child, pipe[0], ""});
    if (child < 0) fail("one more process");
  }

  void wait_for_events() {
    std::vector<pollfd> waiting = {{signals_, POLLIN, 0}};
    for (const RankProcess& rank : ranks_) waiting.push_back({rank.errors, POLLIN, 0});  // skipped if negative
    int timeout = -1;
    if (failure_ && next_signal_ != 0)
      timeout = static_cast<int>(
          std::max<int64_t>(std::chrono::ceil<milliseconds>(next_signal_time_ - Clock::now()).count(), 0));
    ::poll(waiting.data(), waiting.size(), timeout);
  }

  void pass_on_signals() {
    signalfd_siginfo received{};
    while (::read(signals_, &received, sizeof received) == sizeof received) {
      const int signal = static_cast<int>(received.ssi_signo);
      if (signal == SIGCHLD) continue;
      passed_on_ = signal;
      send_all(signal);
    }
  }

  void send_all(int signal) {
    for (const RankProcess& rank : ranks_)
      if (rank.process >= 0) ::kill(rank.process, signal);
  }

  /** Shows what a rank has written, line by line. */
  void read_errors(RankProcess& rank) {
    if (rank.errors < 0) return;
    std::array<char, 1 << 14> buffer;
    ssize_t count = 0;
    while ((count = ::read(rank.errors, buffer.data(), buffer.size())) > 0) {
      rank.partial_line.append(buffer.data(), static_cast<size_t>(count));
      size_t begin = 0;
      for (size_t end = rank.partial_line.find('\n'); end != std::string::npos;
           end = rank.partial_line.find('\n', begin)) {
        show_line(rank, rank.partial_line.substr(begin, end - begin));
        begin = end + 1;
      }
      rank.partial_line.erase(0, begin);
      if (rank.partial_line.size() > kLongestLine) show_line(rank, std::exchange(rank.partial_line, {}));
    }
    if (count == 0) ::close(std::exchange(rank.errors, -1));
  }

  void show_line(const RankProcess& rank, const std::string& line) {
    const std::string whole = cat("[rank ", number_of(rank), "] ", line, "\n");
    // In one piece, so that lines of several ranks do not mix.
    [[maybe_unused]] const ssize_t written = ::write(STDERR_FILENO, whole.data(), whole.size());
  }

  void look_for_end(RankProcess& rank) {
    int status = 0;
    if (rank.process < 0 || ::waitpid(rank.process, &status, WNOHANG) != rank.process) return;
    rank.process = -1;
    read_errors(rank);  // what it wrote last
    if (!rank.partial_line.empty()) show_line(rank, std::exchange(rank.partial_line, {}));
    if (rank.errors >= 0) ::close(std::exchange(rank.errors, -1));  // a child of the rank may hold the other end
    const int code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    if (code == 0) return;
    // No failure: it was asked to stop. The others may still be busy writing a checkpoint.
    if (code == static_cast<int>(ExitCode::interrupted) || (passed_on_ != 0 && code == 128 + passed_on_)) {
      if (stopped_ == 0) stopped_ = code;
      return;
    }
    const std::string how =
        WIFEXITED(status) ? cat("ended with exit code ", code)
                          : cat("was ended by signal ", WTERMSIG(status), " (", ::strsignal(WTERMSIG(status)), ")");
    log_error(cat("rank ", number_of(rank), " ", how));
    if (failure_) return;
    failure_ = code;
    next_signal_ = SIGTERM;
    next_signal_time_ = Clock::now() + grace_;
  }

  /** First time to say whom they missed, then a request, then the end. */
  void end_the_others() {
    if (next_signal_ == 0 || Clock::now() < next_signal_time_) return;
    send_all(next_signal_);
    next_signal_ = next_signal_ == SIGTERM ? SIGKILL : 0;
    next_signal_time_ = Clock::now() + kTerminationTime;
  }

  ReservedPort port_;
  milliseconds grace_;
  SignalsBefore signals_before_;
  int signals_ = -1;
  std::vector<RankProcess> ranks_;
  int passed_on_ = 0;           // the last signal that the ranks got through us
  int stopped_ = 0;             // status of the first rank that ended as asked
  std::optional<int> failure_;  // status of the first rank that failed
  int next_signal_ = 0;         // what the others get after a failure; 0: nothing more
  Clock::time_point next_signal_time_;
};

}  // namespace

int run_rank_processes(int count, const std::vector<std::string>& arguments, milliseconds grace) {
  return RankProcesses(count, arguments, grace).run();
}

}  // namespace diptych
