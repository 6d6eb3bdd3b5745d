#include "diptych/bench/mock_judge.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "diptych/base/error.h"
#include "diptych/base/text_format.h"

namespace diptych {

namespace {

constexpr const char* kBody =
    R"({"choices":[{"index":0,"finish_reason":"stop","message":{"role":"assistant","content":"yes"},)"
    R"("logprobs":{"content":[{"token":"yes","logprob":-0.1,"top_logprobs":[{"token":"yes","logprob":-0.1},)"
    R"({"token":"no","logprob":-2.4}]}]}}],"usage":{"prompt_tokens":300,"completion_tokens":1}})";

bool read_more(int connection, std::string& input) {
  char block[65536];
  const ssize_t count = ::recv(connection, block, sizeof block, 0);
  if (count > 0) input.append(block, static_cast<size_t>(count));
  return count > 0;
}

/** Takes one request from the connection; false where it was closed. */
bool take_request(int connection, std::string& input) {
  constexpr std::string_view kLength = "Content-Length: ";
  size_t head_end = 0;
  while ((head_end = input.find("\r\n\r\n")) == input.npos)
    if (!read_more(connection, input)) return false;
  const size_t length_at = input.find(kLength);
  const size_t length = length_at < head_end ? std::stoul(input.substr(length_at + kLength.size(), 20)) : 0;
  const size_t end = head_end + 4 + length;
  while (input.size() < end)
    if (!read_more(connection, input)) return false;
  input.erase(0, end);
  return true;
}

}  // namespace

MockJudge::MockJudge(std::chrono::milliseconds delay) : delay_(delay) {
  listener_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  auto* generic = reinterpret_cast<sockaddr*>(&address);
  if (listener_ < 0 || ::bind(listener_, generic, size) != 0 || ::listen(listener_, 512) != 0 ||
      ::getsockname(listener_, generic, &size) != 0)
    throw Error(ExitCode::io, {"judge of the benchmark", "a free local port", std::strerror(errno), ""});
  port_ = ntohs(address.sin_port);
  acceptor_ = std::thread([this] { accept_all(); });
}

MockJudge::~MockJudge() {
  {
    const std::lock_guard lock(mutex_);
    closing_ = true;
    for (const int connection : open_) ::shutdown(connection, SHUT_RDWR);
  }
  ::shutdown(listener_, SHUT_RDWR);
  acceptor_.join();
  for (std::thread& thread : threads_) thread.join();
  for (const int connection : open_) ::close(connection);
  ::close(listener_);
}

std::string MockJudge::url() const {
  return cat("http://127.0.0.1:", port_);
}

void MockJudge::accept_all() {
  while (true) {
    const int connection = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
    const std::lock_guard lock(mutex_);
    if (connection >= 0) open_.push_back(connection);
    if (closing_) return;
    if (connection < 0) continue;
    const int at_once = 1;
    ::setsockopt(connection, IPPROTO_TCP, TCP_NODELAY, &at_once, sizeof at_once);
    threads_.emplace_back([this, connection] { serve(connection); });
  }
}

void MockJudge::serve(int connection) {
  const std::string reply = cat(
      "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: ", std::strlen(kBody), "\r\n\r\n", kBody);
  std::string input;
  while (take_request(connection, input)) {
    std::this_thread::sleep_for(delay_);
    // So small a reply goes out whole.
    if (::send(connection, reply.data(), reply.size(), MSG_NOSIGNAL) != static_cast<ssize_t>(reply.size())) return;
  }
}

}  // namespace diptych
