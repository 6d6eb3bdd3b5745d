#pragma once
// A job under way, as the parts of the engine share it.

#include <atomic>
#include <memory>

#include "diptych/serve/engine/context_plan.h"
#include "diptych/serve/engine/mailbox.h"
#include "diptych/serve/engine/prefix_cache.h"

namespace diptych {

/** A context on its way into the cache. */
struct ContextRead {
  CachedContext context;
  bool whole = true;
};

struct Request {
  Job job;
  ContextPlan plan;
  std::shared_ptr<Mailbox> mailbox;
  std::chrono::steady_clock::time_point deadline;
  int64_t own_rows = 0;            // cache rows it may take at most, without its prefix
  std::shared_ptr<Prefix> prefix;  // null where the context has no image
  int64_t prefix_pieces = 0;       // pieces of the plan that `prefix` holds
  int64_t cached_tokens = 0;       // of the prefix, found in the cache
  ContextRead text_dropped;        // of guidance; empty where it needs none
  ContextRead image_dropped;
  bool begun = false;  // its prefix is read, and the rest is under way
  int64_t open = 0;    // texts or images still to come
  bool ended = false;  // nothing more is owed: its sequences and images are dropped
};

/** One text or image of the request is done. */
inline void close_one(Request& request) {
  if (--request.open == 0) request.ended = true;
}

inline void fail(Request& request, const ApiError& error) {
  request.mailbox->push(JobFailed{error});
  request.ended = true;
}

/** Since the start of the server; read by other threads. */
struct EngineCounters {
  std::atomic<int64_t> prompt_tokens = 0;
  std::atomic<int64_t> cached_tokens = 0;  // of them, not read again
  std::atomic<int64_t> sampled_tokens = 0;
  std::atomic<int64_t> images = 0;
  std::atomic<int64_t> text_passes = 0;
  std::atomic<int64_t> paint_passes = 0;
  std::atomic<int64_t> compactions = 0;
};

}  // namespace diptych
