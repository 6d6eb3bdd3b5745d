#include "diptych/serve/http/http_stream.h"

#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace diptych {

namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

constexpr milliseconds kLookAtStop{100};

bool poll_socket(int socket, short events, milliseconds time) {
  pollfd entry{socket, events, 0};
  int ready = 0;
  do ready = ::poll(&entry, 1, static_cast<int>(std::max<int64_t>(0, time.count())));
  while (ready < 0 && errno == EINTR);
  return ready > 0;
}

}  // namespace

milliseconds HttpStream::time_left() const {
  return std::chrono::duration_cast<milliseconds>(deadline_ - Clock::now());
}

bool HttpStream::await_request(milliseconds idle, const std::atomic<bool>& stop) {
  const Clock::time_point end = Clock::now() + idle;
  bool arrived = begin_ < end_;
  while (!arrived) {
    if (stop || Clock::now() >= end) return false;
    arrived = poll_socket(socket_, POLLIN, kLookAtStop);
    if (arrived && client_gone()) return false;
  }
  deadline_ = Clock::now() + request_time_;
  return true;
}

bool HttpStream::client_gone() const {
  char byte = 0;
  const ssize_t got = ::recv(socket_, &byte, 1, MSG_PEEK | MSG_DONTWAIT);
  return got == 0 || (got < 0 && errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR);
}

void HttpStream::linger(milliseconds time) {
  ::shutdown(socket_, SHUT_WR);
  const Clock::time_point end = Clock::now() + time;
  while (Clock::now() < end && poll_socket(socket_, POLLIN, kLookAtStop))
    if (::recv(socket_, buffer_.data(), buffer_.size(), MSG_DONTWAIT) <= 0) return;
}

bool HttpStream::is_readable() const {
  return begin_ < end_ || poll_socket(socket_, POLLIN, time_left());
}

bool HttpStream::is_writable() const {
  return poll_socket(socket_, POLLOUT, write_time_) && !client_gone();
}

ssize_t HttpStream::read(char* target, size_t size) {
  if (begin_ == end_) {
    if (!poll_socket(socket_, POLLIN, time_left())) return -1;
    const ssize_t got = ::recv(socket_, buffer_.data(), buffer_.size(), MSG_DONTWAIT);
    if (got <= 0) return got;
    begin_ = 0;
    end_ = static_cast<size_t>(got);
  }
  const size_t count = std::min(size, end_ - begin_);
  std::memcpy(target, buffer_.data() + begin_, count);
  begin_ += count;
  return static_cast<ssize_t>(count);
}

ssize_t HttpStream::write(const char* source, size_t size) {
  if (!poll_socket(socket_, POLLOUT, write_time_)) return -1;
  return ::send(socket_, source, size, MSG_NOSIGNAL | MSG_DONTWAIT);
}

}  // namespace diptych
