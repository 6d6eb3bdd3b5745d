#include "diptych/serve/http/http_server.h"

#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <charconv>
#include <memory>

#include "diptych/base/ascii.h"
#include "diptych/base/log.h"
#include "diptych/base/text_format.h"
#include "diptych/serve/http/bind_fault.h"
#include "diptych/serve/http/http_stream.h"

namespace diptych {

namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

constexpr milliseconds kIdleTime{30000};  // between two requests of a connection
constexpr milliseconds kWriteTime{10000};
constexpr milliseconds kLingerTime{2000};
constexpr int kBacklog = 1024;

// httplib would parse forms itself, by means that long headers can crash; under this name it leaves them alone.
constexpr const char* kFormType = "X-Diptych-Form-Type";

constexpr const char* kChat = "/v1/chat/completions";
constexpr const char* kGenerations = "/v1/images/generations";
constexpr const char* kEdits = "/v1/images/edits";
constexpr const char* kModels = "/v1/models";
constexpr const char* kMetrics = "/metrics";
constexpr const char* kHealth = "/health";
constexpr std::array kPostPaths = {kChat, kGenerations, kEdits};
constexpr std::array kGetPaths = {kModels, kMetrics, kHealth};

constexpr const char* kPreflightAge = "600";  // seconds that a browser may remember

/** The connection that the current thread serves. */
struct Connection {
  HttpStream& stream;
  bool must_close = false;  // the request was not read to its end
};
thread_local Connection* connection = nullptr;

/** A thread per connection: a slow client keeps no other waiting. */
class ThreadPerConnection : public httplib::TaskQueue {
 public:
  void enqueue(std::function<void()> serve) override {
    {
      const std::lock_guard lock(mutex_);
      ++running_;
    }
    const auto run = [this, serve] {
      serve();
      const std::lock_guard lock(mutex_);
      --running_;
      ended_.notify_all();
    };
    try {
      std::thread(run).detach();
    } catch (const std::system_error&) {
      run();  // no thread is left: the client is served all the same
    }
  }

  void shutdown() override {
    std::unique_lock lock(mutex_);
    ended_.wait(lock, [&] { return running_ == 0; });
  }

 private:
  std::mutex mutex_;
  std::condition_variable ended_;
  int64_t running_ = 0;
};

void hide_forms(httplib::Request& request) {
  request.headers.erase(kFormType);
  const std::string type = request.get_header_value("Content-Type");
  if (type.find("multipart/") == std::string::npos) return;
  request.headers.erase("Content-Type");
  request.headers.emplace(kFormType, type);
}

ApiError too_large(int64_t most) {
  return {413, "invalid_request_error", cat("the body is larger than ", most, " bytes")};
}

/** Of the body; INT64_MAX if the header holds no number. */
int64_t announced_bytes(const httplib::Request& request) {
  const std::string text = request.get_header_value("Content-Length");
  int64_t bytes = 0;
  const char* end = text.data() + text.size();
  const auto [rest, failure] = std::from_chars(text.data(), end, bytes);
  return failure == std::errc() && rest == end && bytes >= 0 ? bytes : INT64_MAX;
}

std::string read_body(const httplib::ContentReader& reader, int64_t most) {
  std::string body;
  bool exceeds = false;
  const bool whole = reader([&](const char* data, size_t size) {
    exceeds = static_cast<int64_t>(body.size() + size) > most;
    if (!exceeds) body.append(data, size);
    return !exceeds;
  });
  if (whole) return body;
  connection->must_close = true;
  if (exceeds) throw too_large(most);
  throw ApiError(408, "invalid_request_error", "the body did not arrive in time, or not in one piece");
}

bool is_model(std::string_view path) {
  return path.starts_with(kModels) && path.size() > std::string_view(kModels).size() + 1 &&
         path[std::string_view(kModels).size()] == '/';
}

bool is_post(std::string_view path) {
  return std::ranges::count(kPostPaths, path) > 0;
}

bool is_endpoint(std::string_view path) {
  return is_post(path) || std::ranges::count(kGetPaths, path) > 0 || is_model(path);
}

/** Of a client whose base URL lacks the /v1, has it twice, or has slashes too many. */
ApiError unknown_endpoint(const std::string& path) {
  std::string meant;
  if (is_endpoint("/v1" + path)) meant = "/v1" + path;
  std::string_view plain = path;
  while (plain.ends_with('/')) plain.remove_suffix(1);
  for (const char* known : {kChat, kGenerations, kEdits, kModels})
    if (meant.empty() && plain.ends_with(std::string_view(known).substr(3))) meant = known;
  return {404, "invalid_request_error",
          cat("there is no such endpoint", meant.empty() ? "" : cat(": did you mean ", meant, "?")), "", "unknown_url"};
}

/** The type of a request's body without its parameters, in small letters. */
std::string media_type(const httplib::Request& request) {
  const std::string form = request.get_header_value(kFormType);
  const std::string type = form.empty() ? request.get_header_value("Content-Type") : form;
  return ascii_lower(trimmed(std::string_view(type).substr(0, type.find(';')), kHeaderBlanks));
}

/** JSON, or a form where the endpoint takes one. `curl -d` calls JSON a form too, and some clients nothing at all; a
 * page that does so to get by without a preflight is told by its Origin. */
void check_media_type(const httplib::Request& request) {
  const std::string type = media_type(request);
  const bool is_json = type.empty() || type == "application/json" || type.ends_with("+json") ||
                       type == "application/x-www-form-urlencoded";
  const bool takes_form = request.path == kEdits;
  if (is_json || (takes_form && type == "multipart/form-data")) return;
  throw ApiError(415, "invalid_request_error",
                 cat("the body must be application/json", takes_form ? " or multipart/form-data" : "", ", not ", type));
}

void put(const ApiReply& reply, httplib::Response& response) {
  response.status = reply.status;
  if (reply.status == 429 || reply.status == 503) response.set_header("Retry-After", "1");
  response.set_content(reply.body, reply.type);
}

}  // namespace

class HttpServer::Listener : public httplib::Server {
 public:
  Listener(Api& api, const HttpLimits& limits, AccessRules access)
      : api_(api), limits_(limits), access_(std::move(access)) {
    new_task_queue = [] { return new ThreadPerConnection; };
    set_tcp_nodelay(true);
    // Not SO_REUSEPORT, httplib's own choice: with it, two servers could share a port without noticing.
    set_socket_options([](socket_t socket) {
      const int yes = 1;
      ::setsockopt(socket, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    });
    set_pre_routing_handler([this](const httplib::Request& request, httplib::Response& response) {
      return answer(request, response) ? HandlerResponse::Handled : HandlerResponse::Unhandled;
    });
    set_error_handler([](const httplib::Request&, httplib::Response& response) {
      if (!response.body.empty()) return;
      connection->must_close = true;
      const bool late = connection->stream.late();
      put(error_reply({late ? 408 : response.status, "invalid_request_error",
                       late ? "the headers did not arrive in time" : "the request is not valid HTTP"}),
          response);
    });
    set_exception_handler([](const httplib::Request&, httplib::Response& response, std::exception_ptr) {
      put(error_reply({500, "server_error", "internal error"}), response);
    });
    add_post(kChat, [this](const std::string&, const std::string& body, const ClientGone& gone) {
      return api_.chat(body, gone);
    });
    add_post(kGenerations, [this](const std::string&, const std::string& body, const ClientGone& gone) {
      return api_.generation(body, gone);
    });
    add_post(kEdits, [this](const std::string& type, const std::string& body, const ClientGone& gone) {
      return api_.edit(body, type, gone);
    });
    add_get(kModels, [this] { return api_.models(); });
    add_get(kMetrics, [this] { return api_.metrics(); });
    add_get(kHealth, [] { return ApiReply{.body = R"({"status":"ok"})", .stream = {}}; });
  }

  void widen_backlog() { ::listen(svr_sock_, kBacklog); }
  void refuse() { refusing_ = true; }

 private:
  using PostFunction = std::function<ApiReply(const std::string& type, const std::string& body, const ClientGone&)>;

  // Answers what needs no body: false if the request is for a handler. A refused request is not read further.
  bool answer(const httplib::Request& request, httplib::Response& response) {
    const std::string origin = allowed_origin(access_, request.get_header_value("Origin"));
    if (!origin.empty()) response.set_header("Access-Control-Allow-Origin", origin);
    if (!access_.origins.empty()) response.set_header("Vary", "Origin");
    const bool has_body = request.has_header("Content-Length") || request.has_header("Transfer-Encoding");
    if (has_body && !is_post(request.path)) connection->must_close = true;  // nobody will read it
    try {
      if (!is_endpoint(request.path)) throw unknown_endpoint(request.path);
      if (request.method == "OPTIONS" && !origin.empty()) {
        allow_page(request, response);
        return true;
      }
      check(request);
      if (!is_model(request.path)) return false;
      put(api_.model(request.path.substr(std::string_view(kModels).size() + 1)), response);
      api_.count(kModels, response.status, Clock::duration(0));
    } catch (const ApiError& error) {
      connection->must_close = connection->must_close || (request.method != "GET" && request.method != "HEAD");
      if (error.status == 401) response.set_header("WWW-Authenticate", "Bearer");
      if (error.status == 405) response.set_header("Allow", is_post(request.path) ? "POST" : "GET, HEAD");
      put(error_reply(error), response);
    }
    return true;
  }

  // The answer to a preflight: the page may send what it asks for. It comes without the key.
  static void allow_page(const httplib::Request& request, httplib::Response& response) {
    response.status = 204;
    response.set_header("Access-Control-Allow-Methods", is_post(request.path) ? "POST" : "GET, HEAD");
    const std::string headers = request.get_header_value("Access-Control-Request-Headers");
    if (!headers.empty()) response.set_header("Access-Control-Allow-Headers", headers);
    response.set_header("Access-Control-Max-Age", kPreflightAge);
  }

  void check(const httplib::Request& request) const {
    const std::string& path = request.path;
    const std::string& method = request.method;
    if (is_post(path) ? method != "POST" : method != "GET" && method != "HEAD")
      throw ApiError(405, "invalid_request_error",
                     method == "OPTIONS" && request.has_header("Origin")
                         ? "pages of this origin may not use this server: see its option --allow-origin"
                         : cat("use ", is_post(path) ? "POST" : "GET", " on this endpoint"));
    if (path != kHealth)
      check_access(access_, {request.get_header_value("Authorization"), request.get_header_value("Origin"),
                             request.get_header_value("Host")});
    if (refusing_) throw ApiError(503, "server_error", "the server is shutting down", "", "shutting_down");
    if (!is_post(path)) return;
    const std::string encoding = request.get_header_value("Content-Encoding");
    if (!encoding.empty() && encoding != "identity")
      throw ApiError(415, "invalid_request_error", "compressed bodies are not supported");
    check_media_type(request);
    // Such a body would end with the connection, for which the client waits too.
    if (!request.has_header("Content-Length") && !request.has_header("Transfer-Encoding"))
      throw ApiError(411, "invalid_request_error", "the request has no body: expected one, with Content-Length");
    if (request.has_header("Content-Length") && announced_bytes(request) > limits_.body_bytes)
      throw too_large(limits_.body_bytes);
  }

  void add_get(const char* path, std::function<ApiReply()> function) {
    Get(path, [=, this](const httplib::Request&, httplib::Response& response) {
      put(function(), response);
      api_.count(path, response.status, Clock::duration(0));
    });
  }

  void add_post(const char* path, const PostFunction& function) {
    Post(path,
         [=, this](const httplib::Request& request, httplib::Response& response, const httplib::ContentReader& reader) {
           const Clock::time_point start = Clock::now();
           const HttpStream& stream = connection->stream;
           ApiReply reply;
           try {
             const std::string form = request.get_header_value(kFormType);
             const std::string type = form.empty() ? request.get_header_value("Content-Type") : form;
             const std::string body = read_body(reader, limits_.body_bytes);
             reply = function(type, body, [&stream] { return stream.client_gone(); });
           } catch (const ApiError& error) {
             reply = error_reply(error);
           } catch (const std::exception& error) {
             log_error(cat("a request to ", path, " failed: ", error.what()));
             reply = error_reply({500, "server_error", "internal error"});
           }
           if (!reply.stream) {
             put(reply, response);
             api_.count(path, reply.status, Clock::now() - start);
             return;
           }
           response.set_header("Cache-Control", "no-cache");
           response.set_chunked_content_provider(
               reply.type, [=, this, write = reply.stream](size_t, httplib::DataSink& sink) {
                 bool gone = false;
                 write([&](std::string_view piece) {
                   gone = gone || !sink.is_writable() || !sink.write(piece.data(), piece.size());
                   return !gone;
                 });
                 if (!gone) sink.done();
                 api_.count(path, gone ? 499 : 200, Clock::now() - start);
                 return !gone;
               });
         });
  }

  static void refuse(httplib::Stream& stream, const char* why) {
    const std::string body = error_json({503, "server_error", why});
    stream.write(cat("HTTP/1.1 503 Service Unavailable\r\nContent-Type: application/json\r\nRetry-After: 1\r\n",
                     "Connection: close\r\nContent-Length: ", body.size(), "\r\n\r\n", body));
  }

  // In place of httplib's own: with deadlines, a bound on connections, and a look at the client while it waits.
  bool process_and_close_socket(socket_t socket) override {
    HttpStream stream(socket, limits_.request_time, kWriteTime);
    Connection own{stream};
    connection = &own;
    const bool crowded = ++connections_ > limits_.connections;
    if (crowded || refusing_) {
      refuse(stream, crowded ? "too many connections" : "the server is shutting down");
      own.must_close = true;
    }
    while (!own.must_close && stream.await_request(kIdleTime, refusing_)) {
      bool closed = false;
      if (!process_request(stream, /*close_connection=*/false, closed, hide_forms) || closed) break;
    }
    if (own.must_close) stream.linger(kLingerTime);
    connection = nullptr;
    ::shutdown(socket, SHUT_RDWR);
    ::close(socket);
    --connections_;
    return true;
  }

  Api& api_;
  const HttpLimits limits_;
  const AccessRules access_;
  std::atomic<int64_t> connections_ = 0;
  std::atomic<bool> refusing_ = false;
};

HttpServer::HttpServer(Api& api, const HttpLimits& limits, AccessRules access)
    : listener_(std::make_unique<Listener>(api, limits, std::move(access))) {}

HttpServer::~HttpServer() {
  stop();
}

int HttpServer::start(const std::string& host, int port) {
  const int bound = port == 0 ? listener_->bind_to_any_port(host) : listener_->bind_to_port(host, port) ? port : -1;
  if (bound < 0) throw bind_fault(host, port);
  listener_->widen_backlog();
  const auto ended = std::make_shared<std::atomic<bool>>(false);
  thread_ = std::thread([this, ended] {
    listener_->listen_after_bind();
    *ended = true;
  });
  // The library ignores a stop that comes before it listens, and would then listen for good.
  while (!listener_->is_running() && !*ended) std::this_thread::sleep_for(std::chrono::milliseconds(1));
  return bound;
}

void HttpServer::refuse() {
  listener_->refuse();
}

void HttpServer::stop() {
  if (!thread_.joinable()) return;
  listener_->refuse();
  listener_->stop();
  thread_.join();
}

}  // namespace diptych
