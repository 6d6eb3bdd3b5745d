#include "diptych/serve/http/api.h"

#include "diptych/base/text_format.h"
#include "diptych/io/base64.h"
#include "diptych/serve/requests/chat_request.h"
#include "diptych/serve/requests/image_request.h"

namespace diptych {

namespace {

constexpr size_t kMostUnread = 65536;  // events in a mailbox
constexpr std::chrono::milliseconds kLookAtClient{100};

int64_t now_seconds() {
  return std::chrono::duration_cast<std::chrono::seconds>(std::chrono::system_clock::now().time_since_epoch()).count();
}

/** Gives the job up when its reader is left, whatever the reason. */
struct Reader {
  explicit Reader(std::shared_ptr<Mailbox> from) : mailbox(std::move(from)) {}
  ~Reader() { mailbox->abandon(); }
  Reader(const Reader&) = delete;
  Reader& operator=(const Reader&) = delete;

  /** The next event; throws ApiError if the client goes while nothing happens. */
  JobEvent next(const ClientGone& gone) const {
    for (;;) {
      if (std::optional<JobEvent> event = mailbox->wait(kLookAtClient)) return std::move(*event);
      if (gone()) throw ApiError(499, "client_error", "the client closed the connection");
      if (mailbox->abandoned()) throw ApiError(500, "server_error", "the reply was read too slowly");
    }
  }

  std::shared_ptr<Mailbox> mailbox;
};

std::string metric(const char* name, const char* kind, const char* help, double value) {
  return cat("# HELP ", name, " ", help, "\n# TYPE ", name, " ", kind, "\n", name, " ", fixed(value, 0), "\n");
}

}  // namespace

ApiReply error_reply(const ApiError& error) {
  return {.status = error.status, .body = error_json(error), .stream = {}};
}

Api::Api(Engine& engine, const ServeSettings& settings, const ModelConfig& model, std::chrono::milliseconds timeout)
    : engine_(engine), settings_(settings), model_(model), timeout_(timeout), started_(now_seconds()) {}

ReplyHead Api::head(const char* kind) {
  return {cat(kind, "-", started_, "-", ++replies_), now_seconds(), settings_.model_name};
}

std::shared_ptr<Mailbox> Api::submit(Job job) {
  auto mailbox = std::make_shared<Mailbox>(kMostUnread);
  engine_.submit(std::move(job), mailbox, std::chrono::steady_clock::now() + timeout_);
  return mailbox;
}

ApiReply Api::chat(std::string_view body, const ClientGone& gone) {
  ChatCall call = parse_chat(body, settings_);
  const int64_t count = call.job.count;
  const bool logprobs = call.job.text->logprobs;
  const auto reader = std::make_shared<Reader>(submit(std::move(call.job)));
  // A job that fails before it starts has a status of its own, streamed or not.
  const JobEvent first = reader->next(gone);
  if (const auto* failed = std::get_if<JobFailed>(&first)) throw failed->error;
  if (!call.stream) {
    ChatCompletion reply(head("chatcmpl"), count, logprobs);
    for (reply.add(first); !reply.complete();) reply.add(reader->next(gone));
    return {.body = reply.body(), .stream = {}};
  }
  const auto stream = std::make_shared<ChatStream>(head("chatcmpl"), count, call.include_usage);
  ApiReply reply{.type = "text/event-stream", .body = "", .stream = {}};
  reply.stream = [reader, stream, first, gone](const SendPiece& send) {
    try {
      bool sent = send(stream->add(first));
      while (sent && !stream->complete()) {
        const std::string piece = stream->add(reader->next(gone));
        sent = piece.empty() || send(piece);
      }
      if (sent) send(stream->end());
    } catch (const ApiError& error) {
      send(stream_error(error));
    }
  };
  return reply;
}

ApiReply Api::paint(Job job, const ClientGone& gone) {
  nlohmann::json data(static_cast<size_t>(job.count), nlohmann::json::object());
  const bool thinks = job.text.has_value();
  const Reader reader(submit(std::move(job)));
  for (size_t open = data.size(); open > 0;) {
    const JobEvent event = reader.next(gone);
    if (const auto* failed = std::get_if<JobFailed>(&event)) throw failed->error;
    const auto* done = std::get_if<ImageDone>(&event);
    if (done == nullptr) continue;
    nlohmann::json& entry = data[static_cast<size_t>(done->choice)];
    entry["b64_json"] = base64_encode(encode_png(done->image));
    if (thinks) entry["thinking"] = done->thinking;
    --open;
  }
  return {.body = dump_json({{"created", now_seconds()}, {"output_format", "png"}, {"data", std::move(data)}}),
          .stream = {}};
}

ApiReply Api::generation(std::string_view body, const ClientGone& gone) {
  return paint(parse_generation(body, settings_, model_), gone);
}

ApiReply Api::edit(std::string_view body, std::string_view content_type, const ClientGone& gone) {
  return paint(parse_edit(body, content_type, settings_, model_), gone);
}

nlohmann::json Api::model_json() const {
  return {{"id", settings_.model_name}, {"object", "model"}, {"created", started_}, {"owned_by", "diptych"}};
}

ApiReply Api::models() const {
  return {.body = dump_json({{"object", "list"}, {"data", nlohmann::json::array({model_json()})}}), .stream = {}};
}

ApiReply Api::model(const std::string& name) const {
  if (name != settings_.model_name)
    throw ApiError(404, "invalid_request_error",
                   cat("there is no model '", name, "', only '", settings_.model_name, "'"), "model",
                   "model_not_found");
  return {.body = dump_json(model_json()), .stream = {}};
}

void Api::count(const std::string& path, int status, std::chrono::duration<double> time) {
  const std::lock_guard lock(mutex_);
  Answered& answered = answered_[{path, status}];
  ++answered.requests;
  answered.seconds += time.count();
}

ApiReply Api::metrics() const {
  const EngineCounters& counters = engine_.counters();
  const EngineLoad load = engine_.load();
  const auto total = [](const std::atomic<int64_t>& value) { return static_cast<double>(value.load()); };
  const auto number = [](int64_t value) { return static_cast<double>(value); };
  std::string text =
      metric("diptych_prompt_tokens_total", "counter", "Tokens of prompts.", total(counters.prompt_tokens)) +
      metric("diptych_cached_prompt_tokens_total", "counter", "Tokens of prompts found in the cache.",
             total(counters.cached_tokens)) +
      metric("diptych_sampled_tokens_total", "counter", "Tokens written.", total(counters.sampled_tokens)) +
      metric("diptych_images_total", "counter", "Images painted.", total(counters.images)) +
      metric("diptych_text_passes_total", "counter", "Passes over texts.", total(counters.text_passes)) +
      metric("diptych_paint_passes_total", "counter", "Denoising steps of a batch.", total(counters.paint_passes)) +
      metric("diptych_compactions_total", "counter", "Recyclings of the cache.", total(counters.compactions)) +
      metric("diptych_waiting_requests", "gauge", "Requests in the queue.", number(load.waiting)) +
      metric("diptych_active_requests", "gauge", "Requests under way.", number(load.active)) +
      metric("diptych_cache_rows", "gauge", "Rows of the cache in use or to be recycled.", number(load.cache_rows)) +
      metric("diptych_cache_capacity_rows", "gauge", "Rows that the cache has memory for.",
             number(load.cache_capacity)) +
      metric("diptych_prefix_rows", "gauge", "Rows kept for later requests.", number(load.prefix_rows));
  const std::lock_guard lock(mutex_);
  std::string requests = "# HELP diptych_requests_total Requests answered.\n# TYPE diptych_requests_total counter\n";
  std::string seconds =
      "# HELP diptych_request_seconds_total Time from request to the end of its reply.\n"
      "# TYPE diptych_request_seconds_total counter\n";
  for (const auto& [key, answered] : answered_) {
    const std::string labels = cat("{path=\"", key.first, "\",status=\"", key.second, "\"} ");
    requests += cat("diptych_requests_total", labels, answered.requests, "\n");
    seconds += cat("diptych_request_seconds_total", labels, fixed(answered.seconds, 6), "\n");
  }
  return {.type = "text/plain; version=0.0.4", .body = text + requests + seconds, .stream = {}};
}

}  // namespace diptych
