#pragma once
// Real processes as the ranks of a group.

#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "diptych/base/error.h"
#include "diptych/distributed/process_group.h"
#include "diptych/distributed/reserved_port.h"

namespace diptych {

/** How a rank ended. */
struct RankEnd {
  int status = -1;     // of its process; 128 + number for a signal
  std::string output;  // what it returned, or the text of what it threw
};

inline constexpr int kThrew = 99;  // status of a rank that threw something that is no Error

/** A rank that is not expected to end by itself is stopped for good: its parent kills it when the others have ended. */
class ForkedRanks {
 public:
  /** Runs `work` with a place in each of `world` processes. A fork copies no threads, so this process must have no
   * other: no tensor may be touched in it. `port` 0: a free one. */
  ForkedRanks(int world, const std::function<std::string(const ProcessPlace&)>& work, int port = 0) {
    const auto threads = std::filesystem::directory_iterator("/proc/self/task");
    EXPECT_EQ(std::distance(begin(threads), end(threads)), 1);
    for (int rank = 0; rank < world; ++rank) {
      const ProcessPlace place{rank, world, rank, "127.0.0.1", port > 0 ? port : reserved_.number(), false};
      int pipe[2];
      EXPECT_EQ(::pipe2(pipe, O_CLOEXEC), 0);
      const pid_t child = ::fork();
      if (child == 0) {
        ::prctl(PR_SET_PDEATHSIG, SIGKILL);
        be_rank(place, work, pipe[1]);
      }
      ::close(pipe[1]);
      children_.push_back({child, pipe[0]});
    }
  }

  ~ForkedRanks() {
    for (const Child& child : children_) {
      ::kill(child.process, SIGKILL);
      ::waitpid(child.process, nullptr, 0);
      ::close(child.output);
    }
  }
  ForkedRanks(const ForkedRanks&) = delete;
  ForkedRanks& operator=(const ForkedRanks&) = delete;

  pid_t process(int rank) const { return children_[static_cast<size_t>(rank)].process; }

  /** Waits for the end of a rank. One that runs on for more than two minutes is killed. */
  RankEnd end_of(int rank) {
    const Child& child = children_[static_cast<size_t>(rank)];
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::minutes(2);
    RankEnd end;
    char buffer[4096];
    pollfd waiting{child.output, POLLIN, 0};
    while (::poll(&waiting, 1, 1000) >= 0) {
      if (std::chrono::steady_clock::now() > deadline) ::kill(child.process, SIGKILL);
      if (waiting.revents == 0) continue;
      const ssize_t count = ::read(child.output, buffer, sizeof buffer);
      if (count <= 0) break;
      end.output.append(buffer, static_cast<size_t>(count));
    }
    int status = 0;
    siginfo_t information{};
    ::waitid(P_PID, static_cast<id_t>(child.process), &information, WEXITED | WNOWAIT);
    status = information.si_status;
    end.status = information.si_code == CLD_EXITED ? status : 128 + status;
    return end;
  }

 private:
  struct Child {
    pid_t process;
    int output;
  };

  [[noreturn]] static void be_rank(const ProcessPlace& place,
                                   const std::function<std::string(const ProcessPlace&)>& work, int output) {
    int status = 0;
    std::string text;
    try {
      text = work(place);
    } catch (const Error& error) {
      status = static_cast<int>(error.code());
      text = error.what();
    } catch (const std::exception& error) {
      status = kThrew;
      text = error.what();
    }
    for (size_t sent = 0; sent < text.size();)
      sent += static_cast<size_t>(::write(output, text.data() + sent, text.size() - sent));
    ::_exit(status);
  }

  ReservedPort reserved_;
  std::vector<Child> children_;
};

}  // namespace diptych
