#pragma once
// The one owner of the model: takes jobs from all connections and works on them in rounds.

#include <condition_variable>
#include <mutex>
#include <thread>

#include "diptych/model/folder.h"
#include "diptych/serve/paint_batch.h"
#include "diptych/serve/text_batch.h"

namespace diptych {

struct EngineLimits {
  int64_t sequences = 64;         // texts and images under way
  int64_t images = 8;             // painted in one pass
  int64_t waiting = 256;          // jobs in the queue
  int64_t cache_rows = 65536;     // tokens whose keys and values are kept; painting needs some more in passing
  int64_t prefill_tokens = 8192;  // prompts read in one round, unless a single one is longer
  int64_t max_context = 32768;    // tokens of a prompt and its text
};

struct EngineLoad {
  int64_t waiting = 0;      // jobs
  int64_t active = 0;       // jobs
  int64_t cache_rows = 0;   // in use, or to be recycled
  int64_t prefix_rows = 0;  // of them, kept for later requests
};

/** Every round admits jobs as far as the limits allow, reads their images once per distinct beginning (PrefixCache),
 *  does one pass for all texts and one denoising step for one batch of images. Results do not depend on what else is
 *  under way. An exception of the model fails the jobs under way with status 500, and the engine goes on. */
class Engine {
 public:
  Engine(const Bagel& model, const Tokenizer& tokenizer, const EngineLimits& limits);
  ~Engine();
  Engine(const Engine&) = delete;
  Engine& operator=(const Engine&) = delete;

  /** Queues a job; its events go to the mailbox until TextDone or ImageDone came `count` times, or JobFailed once.
   *  max_tokens shrinks to what max_context leaves. Throws ApiError: 400 if the job is too large, 429 if the queue is
   *  full, 503 after drain(). Callable from any thread. */
  void submit(Job job, std::shared_ptr<Mailbox> mailbox, std::chrono::steady_clock::time_point deadline);

  /** Works in a thread of its own from here on. */
  void start();

  /** Takes no more jobs, and returns when the ones it has are done, or fails them after `time`. */
  void drain(std::chrono::milliseconds time);

  /** One round; false if there is nothing to do. For tests: not after start(). */
  bool round();

  const EngineCounters& counters() const { return counters_; }
  EngineLoad load() const;

 private:
  void run();
  void end_overdue();
  void admit();
  std::shared_ptr<Request> next_waiting(int64_t rows_read);
  bool reserve(Request& request);
  void read_prefixes(const std::vector<std::shared_ptr<Request>>& requests);
  void read_dropped_contexts(Request& request);
  void begin(const std::shared_ptr<Request>& request);
  void write();
  void paint();
  void forget_ended();
  void make_room(int64_t rows);
  void fail_all(const ApiError& error);
  int64_t active_choices() const;

  const Bagel& model_;
  const Tokenizer& tokenizer_;
  const EngineLimits limits_;
  const std::vector<std::string> token_bytes_;
  EngineCounters counters_;

  // Of the thread that works.
  KvCache cache_;
  PrefixCache prefixes_;
  std::vector<std::shared_ptr<Request>> active_;
  std::vector<Sequence> sequences_;
  std::deque<PaintChain> to_paint_;
  PaintBatch painting_;

  mutable std::mutex mutex_;  // guards what follows
  std::condition_variable changed_;
  std::deque<std::shared_ptr<Request>> waiting_;
  EngineLoad load_;
  bool draining_ = false;
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace diptych
