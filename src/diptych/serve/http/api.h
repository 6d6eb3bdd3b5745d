#pragma once
// The endpoints, without the transport: bodies in, replies out.

#include <functional>
#include <map>

#include "diptych/serve/engine/engine.h"
#include "diptych/serve/http/chat_reply.h"
#include "diptych/serve/requests/settings.h"

namespace diptych {

/** Writes a piece of a stream; false once the client has gone. */
using SendPiece = std::function<bool(std::string_view piece)>;

struct ApiReply {
  int status = 200;
  std::string type = "application/json";
  std::string body;
  std::function<void(const SendPiece&)> stream;  // set: in place of `body`
};

ApiReply error_reply(const ApiError& error);

/** Whether the client of the request at hand has closed its connection. */
using ClientGone = std::function<bool()>;

/** All members are callable from any thread; they throw ApiError. */
class Api {
 public:
  Api(Engine& engine, const ServeSettings& settings, const ModelConfig& model, std::chrono::milliseconds timeout);

  ApiReply chat(std::string_view body, const ClientGone& gone);
  ApiReply generation(std::string_view body, const ClientGone& gone);
  ApiReply edit(std::string_view body, std::string_view content_type, const ClientGone& gone);
  ApiReply models() const;
  ApiReply model(const std::string& name) const;  // throws ApiError (404) for another name than the model's
  ApiReply metrics() const;

  /** For metrics(): a request was answered. */
  void count(const std::string& path, int status, std::chrono::duration<double> time);

 private:
  nlohmann::json model_json() const;
  std::shared_ptr<Mailbox> submit(Job job);
  ApiReply paint(Job job, const ClientGone& gone);
  ReplyHead head(const char* kind);

  Engine& engine_;
  const ServeSettings settings_;
  const ModelConfig model_;
  const std::chrono::milliseconds timeout_;
  const int64_t started_;  // seconds since 1970
  std::atomic<uint64_t> replies_ = 0;

  struct Answered {
    int64_t requests = 0;
    double seconds = 0;
  };
  mutable std::mutex mutex_;
  std::map<std::pair<std::string, int>, Answered> answered_;  // by path and status
};

}  // namespace diptych
