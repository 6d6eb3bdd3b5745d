#include "diptych/reward/judge/judge.h"

#include <condition_variable>
#include <ctime>
#include <deque>
#include <map>
#include <mutex>
#include <random>
#include <thread>
#include <utility>

#include "diptych/base/error.h"
#include "diptych/base/log.h"
#include "diptych/base/text_format.h"
#include "diptych/io/files.h"
#include "diptych/io/http/http_client.h"
#include "diptych/reward/judge/endpoint_pool.h"
#include "diptych/reward/judge/judge_attempt.h"
#include "diptych/reward/judge/judge_request.h"
#include "diptych/reward/judge/response_cache.h"

namespace diptych {

namespace {

constexpr double kLongestWaitSeconds = 3600;

/** The requests of one ask(). */
struct JudgeBatch {
  std::vector<ChatResult> results;
  size_t unfinished = 0;
  std::condition_variable done;
};

/** A request on its way. ask() keeps `request` alive until it is finished. */
struct JudgeJob {
  std::shared_ptr<JudgeBatch> batch;
  size_t index = 0;
  const ChatRequest* request = nullptr;
  std::vector<SharedText> uris;
  std::string cache_key;
  std::string record;
  int64_t tries = 0;
  SteadyTime first_try;
  SteadyTime sent_at;
  EndpointPlace place;
};
using JudgeJobPointer = std::shared_ptr<JudgeJob>;

struct Arrival {
  JudgeJobPointer job;
  HttpReply reply;
};

double as_seconds(SteadyClock::duration duration) {
  return std::chrono::duration<double>(duration).count();
}

std::vector<std::string> trimmed(std::vector<std::string> urls) {
  for (std::string& url : urls)
    while (url.ends_with('/')) url.pop_back();
  return urls;
}

std::filesystem::path cache_path(const JudgeConfig& config, const std::filesystem::path& folder) {
  return config.cache_file.empty() ? std::filesystem::path() : folder / config.cache_file;
}

}  // namespace

/** One thread owns the queues and the endpoints; calls of ask() hand jobs to it, the HTTP client replies. */
class Judge::Dispatcher {
 public:
  Dispatcher(const JudgeConfig& config, const std::filesystem::path& folder)
      : config_(config),
        writer_(config),
        pool_(trimmed(config.endpoints), config.concurrency,
              CircuitBreaker(config.breaker_failures, steady_seconds(config.breaker_rest_seconds))),
        meter_(trimmed(config.endpoints), pool_.places()),
        client_(static_cast<int>(pool_.places()), config.environment_proxy) {
    if (config.cache) cache_ = std::make_unique<ResponseCache>(config.cache_entries, cache_path(config, folder));
    thread_ = std::thread([this] { run(); });
  }

  ~Dispatcher() {
    {
      const std::lock_guard lock(mutex_);
      stopping_ = true;
      closing_ = true;
    }
    changed_.notify_one();
    thread_.join();
  }

  std::vector<ChatResult> ask(const std::vector<ChatRequest>& requests) {
    const auto batch = std::make_shared<JudgeBatch>();
    batch->results.resize(requests.size());
    batch->unfinished = requests.size();
    ImageUris uris;
    for (size_t index = 0; index < requests.size(); ++index) {
      auto job = std::make_shared<JudgeJob>();
      job->batch = batch;
      job->index = index;
      job->request = &requests[index];
      begin(job, &uris);
    }
    meter_.count_encoded(uris.encoded());
    std::unique_lock lock(mutex_);
    batch->done.wait(lock, [&] { return batch->unfinished == 0; });
    return std::move(batch->results);
  }

  void stop() {
    {
      const std::lock_guard lock(mutex_);
      stopping_ = true;
    }
    changed_.notify_one();
  }

  JudgeStatistics statistics() const { return meter_.statistics(); }

 private:
  // On the threads that call ask().

  void begin(const JudgeJobPointer& job, ImageUris* uris) {
    try {
      const std::vector<std::string> digests = image_digests(*job->request);
      if (cache_ != nullptr) {
        job->record = writer_.record(*job->request, digests);
        job->cache_key = hash_bytes(job->record);
        if (std::optional<ChatReply> reply = cache_->find(job->cache_key)) {
          meter_.count_cache_hit();
          finish(*job, {std::move(reply), ""});
          return;
        }
      }
      size_t next = 0;
      for (const ChatMessage& message : job->request->messages)
        for (const ChatPart& part : message.parts)
          if (part.image) job->uris.push_back(uris->of(part, digests[next++]));
    } catch (const Error& error) {
      meter_.count_unsent(ChatFailure::unsendable, 1);
      finish(*job, {std::nullopt, error.what()});
      return;
    }
    {
      const std::lock_guard lock(mutex_);
      new_jobs_.push_back(job);
    }
    changed_.notify_one();
  }

  void finish(const JudgeJob& job, ChatResult result) {
    meter_.count_result(result);
    const std::lock_guard lock(mutex_);
    JudgeBatch& batch = *job.batch;
    batch.results[job.index] = std::move(result);
    if (--batch.unfinished == 0) batch.done.notify_one();
  }

  // On the thread of the dispatcher.

  void run() {
    while (true) {
      const bool stopping = take();
      const SteadyTime now = SteadyClock::now();
      for (Arrival& arrival : std::exchange(arrivals_taken_, {})) settle(arrival, stopping, now);
      wake_delayed(now);
      if (stopping)
        stop_all();
      else
        give_up_if_silent(now);
      const SteadyTime asked = send_ready();
      if (stopping && may_close()) return;
      wait_for_change(asked);
    }
  }

  /** Takes over what other threads brought; returns whether to stop. */
  bool take() {
    const std::lock_guard lock(mutex_);
    if (!new_jobs_.empty() && ready_.empty() && delayed_.empty() && pool_.in_use() == 0)
      last_answer_ = SteadyClock::now();
    ready_.insert(ready_.end(), new_jobs_.begin(), new_jobs_.end());
    new_jobs_.clear();
    arrivals_taken_ = std::exchange(arrivals_, {});
    return stopping_;
  }

  bool may_close() {
    const std::lock_guard lock(mutex_);
    return closing_ && pool_.in_use() == 0 && new_jobs_.empty() && arrivals_.empty();
  }

  void settle(Arrival& arrival, bool stopping, SteadyTime now) {
    JudgeJob& job = *arrival.job;
    const size_t endpoint = job.place.endpoint;
    JudgeAttempt attempt = judge_attempt(arrival.reply, job.request->top_logprobs, std::time(nullptr));
    attempt.failure_text = without_key(std::move(attempt.failure_text), writer_.key());
    const bool has_changed =
        pool_.release(job.place, attempt.is_endpoint_fault ? EndpointHealth::failing : EndpointHealth::working, now);
    if (attempt.rest_seconds)
      pool_.pause(endpoint, now + steady_seconds(std::min(*attempt.rest_seconds, config_.max_retry_after_seconds)));
    note(arrival, attempt, now);
    if (has_changed) log_change(endpoint, attempt);
    if (!attempt.is_retryable) last_answer_ = now;  // a reply or a refusal: somebody is there
    if (attempt.reply) {
      if (cache_ != nullptr) cache_->store(job.cache_key, job.record, *attempt.reply);
      finish(job, {std::move(attempt.reply), ""});
      return;
    }
    last_failure_ = cat(pool_.url(endpoint), ": ", attempt.failure_text);
    const SteadyTime next_try =
        now + steady_seconds(backoff_seconds(job.tries, config_.backoff_base_seconds, config_.backoff_max_seconds,
                                             config_.backoff_jitter, uniform_(random_)));
    const bool has_time = next_try <= job.first_try + steady_seconds(config_.give_up_seconds);
    if (attempt.is_retryable && !stopping && has_time && job.tries <= config_.retries)
      delayed_.emplace(next_try, std::move(arrival.job));
    else
      finish(job, {std::nullopt, cat(last_failure_, job.tries > 1 ? cat(" (", job.tries, " tries)") : "")});
  }

  void note(const Arrival& arrival, const JudgeAttempt& attempt, SteadyTime now) {
    const size_t endpoint = arrival.job->place.endpoint;
    meter_.discount_busy(as_seconds(now - arrival.job->sent_at) - arrival.reply.seconds);
    note_busy(now);
    meter_.note_resting(endpoint, pool_.is_resting(endpoint));
    if (attempt.reply)
      meter_.count_reply(*attempt.reply, arrival.reply.seconds);
    else
      meter_.count_failure(endpoint, attempt.failure);
  }

  void note_busy(SteadyTime now) {
    meter_.note_busy(as_seconds(now.time_since_epoch()), pool_.in_use(), !ready_.empty());
  }

  void log_change(size_t endpoint, const JudgeAttempt& attempt) const {
    if (pool_.is_resting(endpoint))
      log_warning(cat("judge ", pool_.url(endpoint), " rests for ", config_.breaker_rest_seconds, " s after ",
                      config_.breaker_failures, " failures in a row; the last: ", attempt.failure_text));
    else
      log_info(cat("judge ", pool_.url(endpoint), " works again"));
  }

  /** Requests that failed go before new ones, so that no request waits twice for its turn. */
  void wake_delayed(SteadyTime now) {
    while (!delayed_.empty() && delayed_.begin()->first <= now) {
      ready_.push_front(std::move(delayed_.begin()->second));
      delayed_.erase(delayed_.begin());
    }
  }

  void give_up_if_silent(SteadyTime now) {
    if ((ready_.empty() && delayed_.empty()) || now < last_answer_ + steady_seconds(config_.give_up_seconds)) return;
    fail_waiting(ChatFailure::gave_up, cat("no judge answered for ", config_.give_up_seconds, " s; the last failure: ",
                                           last_failure_.empty() ? "none yet" : last_failure_));
    last_answer_ = now;  // requests that come later get the same time
  }

  void stop_all() {
    if (!std::exchange(has_cancelled_, true)) client_.cancel_all();
    fail_waiting(ChatFailure::stopped, "the judge was stopped");
  }

  void fail_waiting(ChatFailure failure, const std::string& text) {
    for (auto& [time, job] : delayed_) ready_.push_back(std::move(job));
    delayed_.clear();
    meter_.count_unsent(failure, ready_.size());
    for (const JudgeJobPointer& job : std::exchange(ready_, {})) finish(*job, {std::nullopt, text});
  }

  /** Returns when the endpoints were last asked for a place: a rest that ended since then is yet to be noticed. */
  SteadyTime send_ready() {
    while (!ready_.empty()) {
      const JudgeJobPointer job = ready_.front();
      const std::optional<size_t> avoid = job->tries > 0 ? std::optional(job->place.endpoint) : std::nullopt;
      const SteadyTime now = SteadyClock::now();
      const std::optional<EndpointPlace> place = pool_.acquire(avoid, now);
      if (!place) return now;
      ready_.pop_front();
      job->place = *place;
      job->sent_at = now;
      if (++job->tries == 1) job->first_try = now;
      note_busy(now);
      meter_.count_try(place->endpoint, job->tries > 1);
      client_.submit(writer_.write(pool_.url(place->endpoint), *job->request, job->uris), [this, job](HttpReply reply) {
        {
          const std::lock_guard lock(mutex_);
          arrivals_.push_back({job, std::move(reply)});
        }
        changed_.notify_one();
      });
    }
    return SteadyClock::now();
  }

  void wait_for_change(SteadyTime asked) {
    const SteadyTime now = SteadyClock::now();
    SteadyTime until = now + steady_seconds(kLongestWaitSeconds);
    if (!delayed_.empty()) until = std::min(until, delayed_.begin()->first);
    if (!ready_.empty()) until = std::min(until, pool_.next_change(asked));
    if (!ready_.empty() || !delayed_.empty())
      until = std::min(until, last_answer_ + steady_seconds(config_.give_up_seconds));
    note_busy(now);
    std::unique_lock lock(mutex_);
    changed_.wait_until(lock, until, [&] {
      return !new_jobs_.empty() || !arrivals_.empty() || (stopping_ && !has_cancelled_) ||
             (closing_ && pool_.in_use() == 0);
    });
  }

  const JudgeConfig config_;
  const JudgeRequestWriter writer_;
  std::unique_ptr<ResponseCache> cache_;
  // Of the dispatcher's thread alone.
  EndpointPool pool_;
  std::deque<JudgeJobPointer> ready_;
  std::multimap<SteadyTime, JudgeJobPointer> delayed_;
  std::vector<Arrival> arrivals_taken_;
  SteadyTime last_answer_;
  std::string last_failure_;
  bool has_cancelled_ = false;
  std::mt19937_64 random_{std::random_device{}()};
  std::uniform_real_distribution<double> uniform_;

  // Shared.
  JudgeMeter meter_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<JudgeJobPointer> new_jobs_;
  std::vector<Arrival> arrivals_;
  bool stopping_ = false;
  bool closing_ = false;

  HttpClient client_;
  std::thread thread_;
};

Judge::Judge(const JudgeConfig& config, const std::filesystem::path& folder)
    : dispatcher_(std::make_unique<Dispatcher>(config, folder)) {}
Judge::~Judge() = default;

std::vector<ChatResult> Judge::ask(const std::vector<ChatRequest>& requests) {
  return dispatcher_->ask(requests);
}

void Judge::stop() {
  dispatcher_->stop();
}

JudgeStatistics Judge::statistics() const {
  return dispatcher_->statistics();
}

}  // namespace diptych
