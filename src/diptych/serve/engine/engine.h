#pragma once
// The one owner of the model: takes jobs from all connections and works on them in rounds.

#include <condition_variable>
#include <functional>
#include <mutex>
#include <thread>

#include "diptych/model/folder/folder.h"
#include "diptych/serve/engine/fair_shares.h"
#include "diptych/serve/engine/paint_batch.h"
#include "diptych/serve/engine/text_batch.h"

namespace diptych {

struct EngineLimits {
  int64_t sequences = 64;         // texts and images under way
  int64_t images = 8;             // painted in one pass
  int64_t waiting = 256;          // jobs in the queue
  int64_t cache_rows = 65536;     // tokens whose keys and values are kept, or used in passing by painting
  int64_t prefill_tokens = 1024;  // of prompts, read in one pass; an image is read in one piece
  int64_t max_context = 32768;    // tokens of a prompt and its text
};

struct EngineLoad {
  int64_t waiting = 0;         // jobs
  int64_t active = 0;          // jobs
  int64_t cache_rows = 0;      // in use, or to be recycled
  int64_t prefix_rows = 0;     // of them, kept for later requests
  int64_t cache_capacity = 0;  // rows that there is memory for
};

/** Every round admits jobs as far as the limits allow and does one pass: it reads parts of all prompts under way,
 * images once per distinct beginning (PrefixCache), or writes the next token of all texts, or does one denoising step
 * of one batch of images. The three have equal shares of the time. Results do not depend on what else is under way. An
 * exception of the model fails the jobs in its pass with status 500, and the engine goes on. */
class Engine {
 public:
  using Clock = std::chrono::steady_clock;
  using Now = std::function<Clock::time_point()>;

  /** `now` tells what a pass took. */
  Engine(const Bagel& model, const Tokenizer& tokenizer, const EngineLimits& limits, Now now = Clock::now);
  ~Engine();
  Engine(const Engine&) = delete;
  Engine& operator=(const Engine&) = delete;

  /** Queues a job; its events go to the mailbox until TextDone or ImageDone came `count` times, or JobFailed once.
   *  max_tokens shrinks to what max_context and the cache leave. Throws ApiError: 400 if the job is too large, 429 if
   * the queue is full, 503 after drain(). Callable from any thread. */
  void submit(Job job, std::shared_ptr<Mailbox> mailbox, Clock::time_point deadline);

  /** Works in a thread of its own from here on. */
  void start();

  /** Takes no more jobs, and returns when the ones it has are done, or fails them after `time`. */
  void drain(std::chrono::milliseconds time);

  /** One round; false if there is nothing to do. For tests: not after start(). */
  bool round();

  const EngineCounters& counters() const { return counters_; }
  EngineLoad load() const;

 private:
  /** A piece of a prefix on its way into the cache. */
  struct UnreadPiece {
    std::shared_ptr<Request> reader;  // the others that need it wait
    ContextRead text;                 // behind the parent's context
  };

  void run();
  void end_overdue();
  void admit();
  std::shared_ptr<Request> next_waiting();
  bool reserve(Request& request);
  void write();
  void pass_texts();
  void paint();
  bool run_pass(const std::vector<std::shared_ptr<Request>>& requests, const std::function<void()>& pass);
  void forget_ended();
  void make_room(int64_t rows);
  void fail_all(const ApiError& error);
  int64_t active_choices() const;

  // engine_reading.cpp
  void follow_prefixes();
  void read_piece(const std::shared_ptr<Request>& request, const PrefixPiece& piece);
  void begin(const std::shared_ptr<Request>& request);
  void read_dropped(const std::shared_ptr<Request>& request, ContextRead& read, const std::vector<int64_t>& ids);
  void read();
  bool read_images(int64_t& rows_left);

  const Bagel& model_;
  const Tokenizer& tokenizer_;
  const EngineLimits limits_;
  const std::vector<std::string> token_bytes_;
  const Now now_;
  EngineCounters counters_;

  // Of the thread that works.
  KvCache cache_;
  PrefixCache prefixes_;
  std::vector<std::shared_ptr<Request>> active_;
  std::map<std::string, UnreadPiece> unread_;  // by key
  std::vector<Sequence> sequences_;
  std::deque<PaintChain> to_paint_;
  PaintBatch painting_;
  TimeShares shares_;

  mutable std::mutex mutex_;  // guards what follows
  std::condition_variable changed_;
  std::deque<std::shared_ptr<Request>> waiting_;
  EngineLoad load_;
  bool draining_ = false;
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace diptych
