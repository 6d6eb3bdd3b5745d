#include "diptych/io/http/http_client.h"

#include <curl/curl.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <deque>
#include <iterator>
#include <mutex>
#include <string_view>
#include <thread>
#include <utility>

#include "diptych/base/error.h"
#include "diptych/base/text_format.h"

namespace diptych {

namespace {

using Clock = std::chrono::steady_clock;

constexpr int kLongestPollMilliseconds = 60000;

Clock::duration duration_of(double seconds) {
  return std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(seconds));
}

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

struct Transfer {
  HttpRequest request;
  HttpClient::Completion completion;
  HttpReply reply;
  CURL* easy = nullptr;
  curl_slist* headers = nullptr;
  char problem[CURL_ERROR_SIZE] = "";
  Clock::time_point started;
  Clock::time_point deadline;
  bool has_begun = false;    // a byte of the body came that is not blank
  bool is_dripping = false;  // the deadline is that of the body

  ~Transfer() {
    curl_easy_cleanup(easy);
    curl_slist_free_all(headers);
  }
};

size_t receive(char* data, size_t, size_t size, void* user) {
  Transfer& transfer = *static_cast<Transfer*>(user);
  // Blank bytes ahead of the reply only keep the connection open while the server works on it.
  const bool is_blank = std::string_view(data, size).find_first_not_of(" \t\r\n") == std::string_view::npos;
  if (!transfer.has_begun && !is_blank) {
    transfer.has_begun = true;
    const Clock::time_point drip_end = Clock::now() + duration_of(transfer.request.drip_seconds);
    transfer.is_dripping = drip_end < transfer.deadline;
    transfer.deadline = std::min(transfer.deadline, drip_end);
  }
  if (transfer.reply.body.size() + size > transfer.request.max_reply_bytes) {
    transfer.reply.failure = HttpFailure::too_large;
    return CURL_WRITEFUNC_ERROR;
  }
  transfer.reply.body.append(data, size);
  return size;
}

void prepare(Transfer& transfer, bool environment_proxy) {
  const HttpRequest& request = transfer.request;
  transfer.easy = curl_easy_init();
  CURL* easy = transfer.easy;
  if (easy == nullptr) return;
  // libcurl would wait a second for a "100 Continue" before it sends a large body.
  transfer.headers = curl_slist_append(nullptr, "Expect:");
  for (const std::string& header : request.headers)
    transfer.headers = curl_slist_append(transfer.headers, header.c_str());
  curl_easy_setopt(easy, CURLOPT_URL, request.url.c_str());
  curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
  curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, static_cast<long>(CURL_HTTP_VERSION_1_1));
  curl_easy_setopt(easy, CURLOPT_USERAGENT, "diptych");
  curl_easy_setopt(easy, CURLOPT_HTTPHEADER, transfer.headers);
  curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(easy, CURLOPT_QUICK_EXIT, 1L);  // a name look-up under way does not hold up a cancellation
  curl_easy_setopt(easy, CURLOPT_TCP_KEEPALIVE, 1L);
  curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, std::max(1L, std::lround(request.connect_seconds * 1e3)));
  curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, transfer.problem);
  curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, receive);
  curl_easy_setopt(easy, CURLOPT_WRITEDATA, &transfer);
  curl_easy_setopt(easy, CURLOPT_PRIVATE, &transfer);
  if (!environment_proxy) curl_easy_setopt(easy, CURLOPT_PROXY, "");
  if (!request.body.empty()) {
    curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(request.body.size()));
    curl_easy_setopt(easy, CURLOPT_POSTFIELDS, request.body.c_str());
  }
}

void read_head(Transfer& transfer) {
  long status = 0;
  curl_easy_getinfo(transfer.easy, CURLINFO_RESPONSE_CODE, &status);
  transfer.reply.status = static_cast<int>(status);
  curl_header* header = nullptr;
  if (curl_easy_header(transfer.easy, "Content-Type", 0, CURLH_HEADER, -1, &header) == CURLHE_OK)
    transfer.reply.content_type = header->value;
  if (curl_easy_header(transfer.easy, "Retry-After", 0, CURLH_HEADER, -1, &header) == CURLHE_OK)
    transfer.reply.retry_after = header->value;
}

void fail(HttpReply& reply, HttpFailure failure, std::string text) {
  reply.failure = failure;
  reply.failure_text = std::move(text);
}

void note_outcome(Transfer& transfer, CURLcode code) {
  read_head(transfer);
  HttpReply& reply = transfer.reply;
  if (code == CURLE_OK) return;
  const std::string problem = transfer.problem[0] != '\0' ? transfer.problem : curl_easy_strerror(code);
  if (reply.failure == HttpFailure::too_large) {
    fail(reply, HttpFailure::too_large, cat("the reply is larger than ", transfer.request.max_reply_bytes, " bytes"));
  } else {
    fail(reply, code == CURLE_OPERATION_TIMEDOUT ? HttpFailure::timeout : HttpFailure::connection, problem);
  }
}

void note_expiry(Transfer& transfer) {
  read_head(transfer);
  fail(transfer.reply, HttpFailure::timeout,
       transfer.is_dripping ? cat("the reply began, but was not complete ", transfer.request.drip_seconds, " s later")
                            : cat("no complete reply within ", transfer.request.timeout_seconds, " s"));
}

}  // namespace

class HttpClient::Worker {
 public:
  Worker(int concurrency, bool environment_proxy)
      : concurrency_(static_cast<size_t>(concurrency)), environment_proxy_(environment_proxy) {
    static const CURLcode global = curl_global_init(CURL_GLOBAL_DEFAULT);
    multi_ = global == CURLE_OK ? curl_multi_init() : nullptr;
    if (multi_ == nullptr)
      throw Error(ExitCode::internal, {"HTTP client", "a working libcurl", curl_easy_strerror(global), ""});
    curl_multi_setopt(multi_, CURLMOPT_MAXCONNECTS, static_cast<long>(concurrency));
    thread_ = std::thread([this] { run(); });
  }

  ~Worker() {
    {
      const std::lock_guard lock(mutex_);
      stopping_ = true;
    }
    curl_multi_wakeup(multi_);
    thread_.join();
    curl_multi_cleanup(multi_);
  }

  void submit(HttpRequest request, Completion completion) {
    auto transfer = std::make_unique<Transfer>();
    transfer->request = std::move(request);
    transfer->completion = std::move(completion);
    {
      const std::lock_guard lock(mutex_);
      inbox_.push_back(std::move(transfer));
    }
    curl_multi_wakeup(multi_);
  }

  void cancel_all() {
    {
      const std::lock_guard lock(mutex_);
      std::move(inbox_.begin(), inbox_.end(), std::back_inserter(doomed_));
      inbox_.clear();
      cancel_wanted_ = true;
    }
    curl_multi_wakeup(multi_);
  }

 private:
  void run() {
    while (true) {
      const bool stopping = take_inbox();
      start_waiting();
      int running = 0;
      curl_multi_perform(multi_, &running);
      finish_done();
      finish_expired();
      if (stopping && is_idle()) return;
      curl_multi_poll(multi_, nullptr, 0, poll_milliseconds(), nullptr);
    }
  }

  /** Returns whether the client goes away, in which case everything is cancelled. */
  bool take_inbox() {
    std::deque<std::unique_ptr<Transfer>> doomed, fresh;
    bool stopping = false;
    bool cancel = false;
    {
      const std::lock_guard lock(mutex_);
      stopping = stopping_;
      cancel = std::exchange(cancel_wanted_, false) || stopping;
      doomed = std::exchange(doomed_, {});
      fresh = std::exchange(inbox_, {});
    }
    std::move(doomed.begin(), doomed.end(), std::back_inserter(waiting_));
    if (cancel) cancel_taken();
    std::move(fresh.begin(), fresh.end(), std::back_inserter(waiting_));
    if (stopping) cancel_taken();
    return stopping;
  }

  bool is_idle() {
    const std::lock_guard lock(mutex_);
    return active_.empty() && waiting_.empty() && inbox_.empty() && doomed_.empty();
  }

  void cancel_taken() {
    std::deque<std::unique_ptr<Transfer>> cancelled = std::exchange(waiting_, {});
    for (auto& transfer : active_) {
      curl_multi_remove_handle(multi_, transfer->easy);
      cancelled.push_back(std::move(transfer));
    }
    active_.clear();
    for (auto& transfer : cancelled) {
      fail(transfer->reply, HttpFailure::cancelled, "cancelled");
      complete(std::move(transfer));
    }
  }

  void start_waiting() {
    while (!waiting_.empty() && active_.size() < concurrency_) {
      std::unique_ptr<Transfer> transfer = std::move(waiting_.front());
      waiting_.pop_front();
      transfer->started = Clock::now();
      transfer->deadline = transfer->started + duration_of(transfer->request.timeout_seconds);
      prepare(*transfer, environment_proxy_);
      if (transfer->easy == nullptr || curl_multi_add_handle(multi_, transfer->easy) != CURLM_OK) {
        fail(transfer->reply, HttpFailure::connection, "libcurl cannot start a transfer");
        complete(std::move(transfer));
      } else {
        active_.push_back(std::move(transfer));
      }
    }
  }

  void finish_done() {
    int left = 0;
    while (const CURLMsg* message = curl_multi_info_read(multi_, &left)) {
      if (message->msg != CURLMSG_DONE) continue;
      const CURLcode code = message->data.result;  // the message dies with the handle
      const auto found = std::find_if(active_.begin(), active_.end(),
                                      [&](const auto& transfer) { return transfer->easy == message->easy_handle; });
      note_outcome(**found, code);
      finish(found);
    }
  }

  void finish_expired() {
    const Clock::time_point now = Clock::now();
    for (size_t i = active_.size(); i-- > 0;) {
      if (active_[i]->deadline > now) continue;
      note_expiry(*active_[i]);
      finish(active_.begin() + static_cast<ptrdiff_t>(i));
    }
  }

  void finish(std::vector<std::unique_ptr<Transfer>>::iterator place) {
    std::unique_ptr<Transfer> transfer = std::move(*place);
    *place = std::move(active_.back());
    active_.pop_back();
    curl_multi_remove_handle(multi_, transfer->easy);
    transfer->reply.seconds = seconds_since(transfer->started);
    complete(std::move(transfer));
  }

  static void complete(std::unique_ptr<Transfer> transfer) { transfer->completion(std::move(transfer->reply)); }

  int poll_milliseconds() const {
    if (!waiting_.empty() && active_.size() < concurrency_) return 0;
    auto wait = std::chrono::milliseconds(kLongestPollMilliseconds);
    for (const auto& transfer : active_)
      wait = std::min(wait, std::chrono::ceil<std::chrono::milliseconds>(transfer->deadline - Clock::now()));
    return static_cast<int>(std::max<int64_t>(0, wait.count()));
  }

  const size_t concurrency_;
  const bool environment_proxy_;
  CURLM* multi_ = nullptr;
  // Of the worker thread alone.
  std::deque<std::unique_ptr<Transfer>> waiting_;
  std::vector<std::unique_ptr<Transfer>> active_;
  // Shared.
  std::mutex mutex_;
  std::deque<std::unique_ptr<Transfer>> inbox_;
  std::deque<std::unique_ptr<Transfer>> doomed_;  // came before cancel_all
  bool cancel_wanted_ = false;
  bool stopping_ = false;
  std::thread thread_;
};

HttpClient::HttpClient(int concurrency, bool environment_proxy)
    : worker_(std::make_unique<Worker>(concurrency, environment_proxy)) {}
HttpClient::~HttpClient() = default;

void HttpClient::submit(HttpRequest request, Completion completion) {
  worker_->submit(std::move(request), std::move(completion));
}

void HttpClient::cancel_all() {
  worker_->cancel_all();
}

}  // namespace diptych
