#pragma once
// A chat model behind one or several OpenAI-compatible servers. It fails honestly: a request ends with a reply or with
// the reason why there is none, never with a made-up answer, and never hangs.

#include <filesystem>
#include <memory>
#include <vector>

#include "diptych/reward/chat/chat.h"
#include "diptych/reward/judge/judge_config.h"
#include "diptych/reward/judge/judge_statistics.h"

namespace diptych {

/** Sends requests to the endpoint with the most free places, `concurrency` at once each. A failure that may pass is
 *  retried, elsewhere where possible, after an exponential back-off with jitter (drawn from the system's random device:
 *  it moves times, never results). Retry-After pauses the endpoint that sent it. An endpoint that fails
 *  `breaker_failures` times in a row rests for `breaker_rest_seconds`, then one request tries it. */
class Judge {
 public:
  /** Reads the key from the environment and the cache file, a path relative to `folder`. Asks nothing yet. Throws
   *  Error(config), and Error(io) or Error(data) for the cache file. */
  explicit Judge(const JudgeConfig& config, const std::filesystem::path& folder = {});
  /** No ask() may be under way, unless stop() was called and it returned. */
  ~Judge();
  Judge(const Judge&) = delete;
  Judge& operator=(const Judge&) = delete;

  /** Blocks until each request has a reply or a failure; one result each, in order. Thread-safe: calls share the
   *  places. Fits ChatFunction. */
  std::vector<ChatResult> ask(const std::vector<ChatRequest>& requests);

  /** Lets calls of ask() under way and all later ones return soon, with failures for what is not answered. Thread-safe,
   *  for a run that is to end. */
  void stop();

  JudgeStatistics statistics() const;

 private:
  class Dispatcher;
  std::unique_ptr<Dispatcher> dispatcher_;
};

}  // namespace diptych
