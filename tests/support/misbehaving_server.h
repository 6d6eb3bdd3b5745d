#pragma once
// An HTTP/1.1 server on a free local port that answers as a test tells it, well or badly.

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

namespace diptych {

struct SeenRequest {
  std::string head;  // request line and headers
  std::string body;
  int index = 0;       // of the request, from 0
  int connection = 0;  // from 0
};

enum class Manner {
  whole,    // a proper reply
  hang,     // no reply until the server goes away or release() is called; then a proper one
  reset,    // the connection is reset
  cut_off,  // the connection closes in the middle of the body
  drip,     // the head, then a byte every few milliseconds
};

struct ServerReply {
  std::string body;
  int status = 200;
  Manner manner = Manner::whole;
  std::string content_type = "application/json";
  std::vector<std::string> headers = {};  // "Name: value"
};

class MisbehavingServer {
 public:
  using Handler = std::function<ServerReply(const SeenRequest&)>;

  /** The handler is called on many threads at once. */
  explicit MisbehavingServer(Handler handler) : handler_(std::move(handler)) {
    listener_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    auto* generic = reinterpret_cast<sockaddr*>(&address);
    if (::bind(listener_, generic, size) != 0 || ::listen(listener_, 512) != 0 ||
        ::getsockname(listener_, generic, &size) != 0)
      throw std::runtime_error("no local port for a test server");
    port_ = ntohs(address.sin_port);
    acceptor_ = std::thread([this] { accept_all(); });
  }

  ~MisbehavingServer() {
    {
      const std::lock_guard lock(mutex_);
      closing_ = true;
      for (const int connection : open_) ::shutdown(connection, SHUT_RDWR);
    }
    changed_.notify_all();
    ::shutdown(listener_, SHUT_RDWR);
    acceptor_.join();
    for (std::thread& thread : threads_) thread.join();
    ::close(listener_);
  }
  MisbehavingServer(const MisbehavingServer&) = delete;
  MisbehavingServer& operator=(const MisbehavingServer&) = delete;

  std::string url() const { return "http://127.0.0.1:" + std::to_string(port_); }

  std::vector<SeenRequest> seen() const {
    const std::lock_guard lock(mutex_);
    return seen_;
  }
  int count() const { return static_cast<int>(seen().size()); }
  int connections() const {
    const std::lock_guard lock(mutex_);
    return connections_;
  }
  int most_at_once() const {
    const std::lock_guard lock(mutex_);
    return most_at_once_;
  }
  /** Returns once so many requests have arrived. */
  void wait_for(size_t requests) const {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return seen_.size() >= requests; });
  }
  /** Lets hanging replies go, now and later. */
  void release() {
    {
      const std::lock_guard lock(mutex_);
      released_ = true;
    }
    changed_.notify_all();
  }

 private:
  void accept_all() {
    while (true) {
      const int connection = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
      const std::lock_guard lock(mutex_);
      if (closing_) {
        if (connection >= 0) ::close(connection);
        return;
      }
      if (connection < 0) continue;
      open_.push_back(connection);
      threads_.emplace_back([this, connection, number = connections_++] { serve(connection, number); });
    }
  }

  void serve(int connection, int number) {
    std::string input;
    SeenRequest request;
    request.connection = number;
    while (read_request(connection, &input, &request)) {
      enter(&request);
      const ServerReply reply = handler_(request);
      if (reply.manner == Manner::hang) wait_for_release();
      {
        const std::lock_guard lock(mutex_);
        --at_once_;
      }
      if (!answer(connection, reply)) break;
    }
    const std::lock_guard lock(mutex_);
    std::erase(open_, connection);
    ::close(connection);
  }

  void enter(SeenRequest* request) {
    {
      const std::lock_guard lock(mutex_);
      request->index = static_cast<int>(seen_.size());
      seen_.push_back(*request);
      most_at_once_ = std::max(most_at_once_, ++at_once_);
    }
    changed_.notify_all();
  }

  void wait_for_release() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return released_ || closing_; });
  }

  bool is_closing() const {
    const std::lock_guard lock(mutex_);
    return closing_;
  }

  static bool read_more(int connection, std::string* input) {
    char block[65536];
    const ssize_t count = ::recv(connection, block, sizeof block, 0);
    if (count > 0) input->append(block, static_cast<size_t>(count));
    return count > 0;
  }

  static bool read_request(int connection, std::string* input, SeenRequest* request) {
    size_t head_end = 0;
    while ((head_end = input->find("\r\n\r\n")) == std::string::npos)
      if (!read_more(connection, input)) return false;
    request->head = input->substr(0, head_end + 2);
    const size_t length_at = request->head.find("Content-Length: ");
    const size_t length = length_at == std::string::npos ? 0 : std::stoul(request->head.substr(length_at + 16));
    while (input->size() < head_end + 4 + length)
      if (!read_more(connection, input)) return false;
    request->body = input->substr(head_end + 4, length);
    input->erase(0, head_end + 4 + length);
    return true;
  }

  static bool send_all(int connection, const std::string& bytes) {
    for (size_t sent = 0; sent < bytes.size();) {
      const ssize_t count = ::send(connection, bytes.data() + sent, bytes.size() - sent, MSG_NOSIGNAL);
      if (count <= 0) return false;
      sent += static_cast<size_t>(count);
    }
    return true;
  }

  /** Returns whether the connection stays open. */
  bool answer(int connection, const ServerReply& reply) const {
    if (reply.manner == Manner::reset) {
      const linger at_once{1, 0};
      ::setsockopt(connection, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
      return false;
    }
    std::string head = "HTTP/1.1 " + std::to_string(reply.status) +
                       " x\r\nContent-Length: " + std::to_string(reply.body.size()) + "\r\n";
    if (!reply.content_type.empty()) head += "Content-Type: " + reply.content_type + "\r\n";
    for (const std::string& header : reply.headers) head += header + "\r\n";
    head += "\r\n";
    if (reply.manner == Manner::drip) return send_all(connection, head) && drip(connection, reply.body);
    if (reply.manner == Manner::cut_off) {
      send_all(connection, head + reply.body.substr(0, reply.body.size() / 2));
      return false;
    }
    return send_all(connection, head + reply.body);
  }

  bool drip(int connection, const std::string& body) const {
    for (const char byte : body) {
      if (is_closing() || !send_all(connection, std::string(1, byte))) return false;
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
    return true;
  }

  Handler handler_;
  int listener_ = -1;
  int port_ = 0;
  mutable std::mutex mutex_;
  mutable std::condition_variable changed_;
  std::vector<SeenRequest> seen_;
  std::vector<int> open_;
  int connections_ = 0;
  int at_once_ = 0;
  int most_at_once_ = 0;
  bool released_ = false;
  bool closing_ = false;
  std::vector<std::thread> threads_;
  std::thread acceptor_;
};

/** The address of a port on which nothing listens. */
inline std::string dead_url() {
  return MisbehavingServer([](const SeenRequest&) { return ServerReply{}; }).url();
}

}  // namespace diptych
