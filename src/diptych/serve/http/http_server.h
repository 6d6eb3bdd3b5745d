#pragma once
// HTTP around the endpoints: connections, limits, keys.

#include <memory>
#include <string>

#include "diptych/serve/http/access.h"
#include "diptych/serve/http/api.h"

namespace diptych {

struct HttpLimits {
  int64_t body_bytes = int64_t{32} << 20;
  int64_t connections = 1024;                     // at a time, each a thread; more are refused with 503
  std::chrono::milliseconds request_time{60000};  // from the first to the last byte of a request
};

/** Serves POST /v1/chat/completions, /v1/images/generations and /v1/images/edits, and GET and HEAD /v1/models,
 *  /v1/models/NAME, /metrics and /health; all but the last as far as `access` lets them. Answers the preflights of
 * pages that are allowed. */
class HttpServer {
 public:
  HttpServer(Api& api, const HttpLimits& limits, AccessRules access);
  ~HttpServer();

  /** Binds and serves in the background; port 0 takes a free one. Returns the port. Throws bind_fault(). */
  int start(const std::string& host, int port);

  /** New connections and requests get 503 from here on; those under way go on. */
  void refuse();

  /** Ends all connections that wait for a request, waits for those that reply, and returns. */
  void stop();

 private:
  class Listener;
  std::unique_ptr<Listener> listener_;
  std::thread thread_;
};

}  // namespace diptych
