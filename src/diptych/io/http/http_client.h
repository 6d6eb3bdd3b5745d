#pragma once
// Many HTTP requests at once from one worker thread (libcurl's multi interface). Failures are values.

#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace diptych {

struct HttpRequest {
  std::string url;                   // http or https
  std::vector<std::string> headers;  // "Name: value"
  std::string body;                  // posted; a request without a body is a GET
  double timeout_seconds = 120;      // from the start of the transfer to the last byte, connecting included
  double connect_seconds = 10;       // for name look-up, TCP and TLS
  double drip_seconds = 30;          // from the first byte of the reply's body that is not blank to its last
  size_t max_reply_bytes = size_t{16} << 20;
};

enum class HttpFailure {
  none,        // a whole reply came, whatever its status
  connection,  // unknown host, refused, reset, cut off, TLS
  timeout,     // one of the three deadlines
  too_large,   // more than max_reply_bytes
  cancelled,   // cancel_all, or the client went away
};

struct HttpReply {
  int status = 0;  // 0 if there was no reply
  std::string content_type;
  std::string retry_after;
  std::string body;
  HttpFailure failure = HttpFailure::none;
  std::string failure_text;  // a sentence without the request's headers; empty if and only if failure is none
  double seconds = 0;        // of the transfer, without the wait for a place
};

/** Keeps connections open and uses them again. Redirects are not followed: a judge that moved is an error to see, and
 *  no other host gets the request's headers. Certificates are verified. HTTP/1.1 only, so that one broken connection
 *  costs one request. */
class HttpClient {
 public:
  using Completion = std::function<void(HttpReply)>;

  /** At most `concurrency` (>= 1) transfers run at once, later ones wait in order. The proxy variables of the
   *  environment (http_proxy, https_proxy, no_proxy) count only if `environment_proxy`. Throws Error(internal) if
   *  libcurl cannot start. */
  explicit HttpClient(int concurrency, bool environment_proxy = false);
  /** Cancels what is unfinished; every completion has been called when it returns. */
  ~HttpClient();
  HttpClient(const HttpClient&) = delete;
  HttpClient& operator=(const HttpClient&) = delete;

  /** `completion` is called exactly once, on the worker thread: it must return quickly, must not throw, and may submit
   *  but not destroy the client. Thread-safe. */
  void submit(HttpRequest request, Completion completion);

  /** Everything submitted so far completes soon as cancelled, if it is not done before. Thread-safe. */
  void cancel_all();

 private:
  class Worker;
  std::unique_ptr<Worker> worker_;
};

}  // namespace diptych
