#include "diptych/reward/line_process.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <iterator>
#include <thread>
#include <utility>

#include "diptych/base/error.h"
#include "diptych/base/log.h"
#include "diptych/base/text_format.h"

namespace diptych {

namespace {

constexpr size_t kLongestLine = 1 << 20;
constexpr size_t kReadSize = 1 << 16;
constexpr auto kGrace = std::chrono::seconds(2);
constexpr auto kMoment = std::chrono::milliseconds(500);
constexpr auto kLook = std::chrono::milliseconds(100);     // between looks at what no descriptor tells
constexpr auto kShortLook = std::chrono::milliseconds(5);  // while its end is near

/** Both ends of a pipe or socket pair. What is still here at the end of the scope is closed. */
struct Ends {
  int parent = -1;
  int child = -1;
  Ends() = default;
  Ends(const Ends&) = delete;
  Ends& operator=(const Ends&) = delete;
  ~Ends() {
    if (parent >= 0) ::close(parent);
    if (child >= 0) ::close(child);
  }
  int release_parent() { return std::exchange(parent, -1); }
};

/** `opened`: the result of the call that filled `descriptors`. */
void keep(int opened, const int (&descriptors)[2], int& first, int& second) {
  if (opened != 0) throw Error(ExitCode::io, {"reward command", "free file descriptors", std::strerror(errno), ""});
  first = descriptors[0];
  second = descriptors[1];
}

void open_ends(Ends& input, Ends& output, Ends& errors) {
  int pair[2];
  // The input is a socket: a pipe whose reader is gone would raise SIGPIPE here.
  keep(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), pair, input.parent, input.child);
  keep(::pipe2(pair, O_CLOEXEC), pair, output.parent, output.child);
  keep(::pipe2(pair, O_CLOEXEC), pair, errors.parent, errors.child);
  for (int descriptor : {input.parent, output.parent, errors.parent}) ::fcntl(descriptor, F_SETFL, O_NONBLOCK);
}

std::vector<char*> pointers(std::vector<std::string>& texts) {
  std::vector<char*> result;
  for (std::string& text : texts) result.push_back(text.data());
  result.push_back(nullptr);
  return result;
}

/** Takes the whole lines out of `text` but for blank ones. Progress bars return the carriage. */
std::vector<std::string> take_lines(std::string& text) {
  constexpr const char* kEnds = "\r\n";
  std::vector<std::string> lines;
  size_t begin = 0;
  for (size_t end = text.find_first_of(kEnds); end != std::string::npos; end = text.find_first_of(kEnds, begin)) {
    std::string line = text.substr(begin, end - begin);
    if (line.find_first_not_of(" \t") != std::string::npos) lines.push_back(std::move(line));
    begin = end + 1;
  }
  text.erase(0, begin);
  return lines;
}

enum class Read { some, none_now, closed };

Read read_into(int descriptor, std::string& text) {
  std::array<char, kReadSize> buffer;
  const ssize_t count = ::read(descriptor, buffer.data(), buffer.size());
  if (count > 0) text.append(buffer.data(), static_cast<size_t>(count));
  if (count > 0) return Read::some;
  return count < 0 && (errno == EAGAIN || errno == EINTR) ? Read::none_now : Read::closed;
}

int milliseconds(LineProcess::Clock::duration time) {
  return static_cast<int>(std::chrono::ceil<std::chrono::milliseconds>(time).count());
}

}  // namespace

LineProcess::LineProcess(const std::vector<std::string>& command, std::vector<std::string> environment,
                         const std::string& where, std::string log_prefix)
    : log_prefix_(std::move(log_prefix)) {
  if (command.empty() || command[0].empty())
    throw Error(ExitCode::config, {where, "a program and its arguments", "none", "[\"python3\", \"my_scorer.py\"]"});
  Ends input;
  Ends output;
  Ends errors;
  open_ends(input, output, errors);

  posix_spawn_file_actions_t files;
  posix_spawn_file_actions_init(&files);
  posix_spawn_file_actions_adddup2(&files, input.child, STDIN_FILENO);
  posix_spawn_file_actions_adddup2(&files, output.child, STDOUT_FILENO);
  posix_spawn_file_actions_adddup2(&files, errors.child, STDERR_FILENO);
  posix_spawnattr_t attributes;
  posix_spawnattr_init(&attributes);
  sigset_t signals;
  sigemptyset(&signals);
  posix_spawnattr_setsigmask(&attributes, &signals);
  sigaddset(&signals, SIGPIPE);
  sigaddset(&signals, SIGINT);
  posix_spawnattr_setsigdefault(&attributes, &signals);
  posix_spawnattr_setpgroup(&attributes, 0);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);

  std::vector<std::string> arguments = command;
  const int failure = ::posix_spawnp(&pid_, arguments[0].c_str(), &files, &attributes, pointers(arguments).data(),
                                     pointers(environment).data());
  posix_spawnattr_destroy(&attributes);
  posix_spawn_file_actions_destroy(&files);
  if (failure != 0) {
    throw Error(ExitCode::config,
                {where, "a program that can be started", cat("'", command[0], "': ", std::strerror(failure)),
                 "give its path, or a name that PATH finds"});
  }
  input_ = input.release_parent();
  output_ = output.release_parent();
  errors_ = errors.release_parent();
}

LineProcess::~LineProcess() {
  if (pid_ >= 0) {
    ::shutdown(input_, SHUT_WR);
    unsent_.clear();
    std::vector<std::string> ignored;
    const auto deadline = Clock::now() + kGrace;
    while (exchange(ignored, deadline) == State::running) continue;
  }
  kill();
  for (int descriptor : {input_, output_, errors_}) {
    if (descriptor >= 0) ::close(descriptor);
  }
}

void LineProcess::queue(std::string_view line) {
  unsent_.append(line).push_back('\n');
  ++lines_queued_;
}

LineProcess::State LineProcess::exchange(std::vector<std::string>& lines, Clock::time_point deadline) {
  if (pid_ < 0) return State::ended;
  const auto now = Clock::now();
  if (now >= deadline) return State::timed_out;
  // poll() skips negative descriptors.
  std::array<pollfd, 3> waiting = {pollfd{unsent_.empty() ? -1 : input_, POLLOUT, 0}, pollfd{output_, POLLIN, 0},
                                   pollfd{errors_, POLLIN, 0}};
  const auto look = end_reason_.empty() ? kLook : kShortLook;
  if (::poll(waiting.data(), waiting.size(), milliseconds(std::min<Clock::duration>(deadline - now, look))) > 0) {
    if (waiting[2].revents != 0) read_errors();
    if (waiting[0].revents != 0) send_some();
    if (waiting[1].revents != 0) read_output(lines);
  }
  if (has_exited()) {
    kill();  // children of its own too, which may hold the output open
    while (Clock::now() < deadline && read_output(lines)) continue;
    return State::ended;
  }
  if (end_reason_.empty() || Clock::now() < end_by_) return State::running;
  kill();
  how_it_ended_ = end_reason_;
  return State::ended;
}

void LineProcess::end_within(Clock::duration grace, std::string reason) {
  if (!end_reason_.empty()) return;
  end_reason_ = std::move(reason);
  end_by_ = Clock::now() + grace;
}

bool LineProcess::has_exited() const {
  siginfo_t status{};
  return ::waitid(P_PID, static_cast<id_t>(pid_), &status, WEXITED | WNOHANG | WNOWAIT) == 0 && status.si_pid == pid_;
}

void LineProcess::send_some() {
  const ssize_t count = ::send(input_, unsent_.data(), unsent_.size(), MSG_NOSIGNAL);
  if (count < 0) {
    if (errno == EAGAIN || errno == EINTR) return;
    // The lines count as not sent. Answers to earlier ones may still come.
    unsent_.clear();
    return end_within(kGrace, "it closed its standard input");
  }
  const auto sent_end = unsent_.begin() + count;
  lines_sent_ += std::count(unsent_.begin(), sent_end, '\n');
  unsent_.erase(unsent_.begin(), sent_end);
}

/** Whether there was something. */
bool LineProcess::read_output(std::vector<std::string>& lines) {
  if (output_ < 0) return false;
  const Read result = read_into(output_, partial_output_);
  std::ranges::move(take_lines(partial_output_), std::back_inserter(lines));
  if (partial_output_.size() > kLongestLine) {
    end_within({}, cat("it wrote a line of more than ", kLongestLine, " bytes"));
    ::close(std::exchange(output_, -1));
    return false;
  }
  if (result == Read::closed) {
    // The end of a process closes its output a moment before it can be seen.
    end_within(kMoment, "it closed its standard output");
    ::close(std::exchange(output_, -1));
  }
  return result == Read::some;
}

void LineProcess::read_errors() {
  const Read result = read_into(errors_, partial_errors_);
  if (result == Read::closed) ::close(std::exchange(errors_, -1));
  // What has no end yet is shown when it grows long.
  if (result == Read::closed || partial_errors_.size() > kReadSize) partial_errors_.push_back('\n');
  for (const std::string& line : take_lines(partial_errors_)) log_info(log_prefix_ + line);
}

void LineProcess::kill() {
  if (pid_ < 0) return;
  const pid_t pid = std::exchange(pid_, -1);
  // A process that has already begun to exit keeps its own status.
  ::kill(-pid, SIGKILL);
  int status = 0;
  // One that waits for a device or a network file system may take its time: then it is left to the system.
  const auto deadline = Clock::now() + kGrace;
  pid_t ended = 0;
  while ((ended = ::waitpid(pid, &status, WNOHANG)) == 0 && Clock::now() < deadline)
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  how_it_ended_ = ended != pid        ? "killed, and not gone yet"
                  : WIFEXITED(status) ? cat("exit status ", WEXITSTATUS(status))
                                      : cat("signal ", WTERMSIG(status), " (", ::strsignal(WTERMSIG(status)), ")");
  pollfd rest{errors_, POLLIN, 0};
  while (errors_ >= 0 && Clock::now() < deadline && ::poll(&rest, 1, 0) > 0) {
    read_errors();
    rest.fd = errors_;
  }
}

}  // namespace diptych
