#pragma once
// A connection with deadlines, so that slow clients cost no more than a sleeping thread for a limited time.

#include <array>
#include <atomic>
#include <chrono>

#include "diptych/serve/http/http_library.h"

namespace diptych {

class HttpStream : public httplib::Stream {
 public:
  /** A request must be here `request_time` after its first byte; a write may wait for `write_time`. */
  HttpStream(int socket, std::chrono::milliseconds request_time, std::chrono::milliseconds write_time)
      : socket_(socket), request_time_(request_time), write_time_(write_time) {}

  /** Waits for the first byte of a request; false if none comes within `idle`, the client leaves or `stop` is set. */
  bool await_request(std::chrono::milliseconds idle, const std::atomic<bool>& stop);

  /** Whether the time for the request at hand is over. */
  bool late() const { return time_left() <= std::chrono::milliseconds(0); }

  /** Whether the client has closed its side. */
  bool client_gone() const;

  /** Reads and forgets what the client still sends, so that it sees the reply before the connection is reset. */
  void linger(std::chrono::milliseconds time);

  bool is_readable() const override;
  bool is_writable() const override;
  ssize_t read(char* target, size_t size) override;
  ssize_t write(const char* source, size_t size) override;
  void get_remote_ip_and_port(std::string&, int&) const override {}
  void get_local_ip_and_port(std::string&, int&) const override {}
  socket_t socket() const override { return socket_; }

 private:
  std::chrono::milliseconds time_left() const;

  const int socket_;
  const std::chrono::milliseconds request_time_;
  const std::chrono::milliseconds write_time_;
  std::chrono::steady_clock::time_point deadline_;
  std::array<char, 16384> buffer_;
  size_t begin_ = 0;  // of what was received and not yet read
  size_t end_ = 0;
};

}  // namespace diptych
