#pragma once
// A judge server inside this process that takes the same time for every request: what is left is the client's work.

#include <chrono>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace diptych {

/** Listens on a free local port and answers "yes", with log-probabilities, so long after a request has arrived. */
class MockJudge {
 public:
  /** Throws Error(io) if there is no port. */
  explicit MockJudge(std::chrono::milliseconds delay);
  ~MockJudge();
  MockJudge(const MockJudge&) = delete;
  MockJudge& operator=(const MockJudge&) = delete;

  std::string url() const;

 private:
  void accept_all();
  void serve(int connection);

  std::chrono::milliseconds delay_;
  int listener_ = -1;
  int port_ = 0;
  std::mutex mutex_;
  bool closing_ = false;
  std::vector<int> open_;
  std::vector<std::thread> threads_;
  std::thread acceptor_;
};

}  // namespace diptych
