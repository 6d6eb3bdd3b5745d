#pragma once
// A reward computed by the user's own program, in any language. It reads requests and writes answers, one JSON object a
// line, in any order:
//
//   to it:   {"id": 7, "prompt": "...", "texts": ["..."], "image": "/folder/7.png", "sources": ["/folder/7_0.png"],
//             "metadata": {}}
//   from it: {"id": 7, "score": 0.7, "checks": {"colour": 1, "count": 0.5}}    checks may be left out
//        or  {"id": 7, "error": "why there is no score"}
//
// "image" is the candidate's last picture, null if it has none; "sources" are the pictures that came with the prompt.
// The files exist until the batch is over. What the program writes on standard error goes to our log.

#include <cstdint>
#include <filesystem>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "diptych/reward/task.h"

namespace diptych {

class LineProcess;

struct CommandRewardOptions {
  std::vector<std::string> command;  // program and arguments; no shell reads it
  double start_seconds = 600;        // for the first answer of all, loading a model included
  double batch_seconds = 300;        // for all answers of a batch, restarts included
  int64_t restarts = 3;              // in a row; a batch that is answered in full sets the count back
};

/** The program runs until the object is gone: then its input ends, and after two seconds it is killed with all that it
 *  started. It has a process group of its own, so Ctrl-C on the terminal does not reach it. */
class CommandReward {
 public:
  /** Starts the program and asks about one small grey picture, to learn before any work whether it answers at all; an
   *  "error" is an answer. Throws Error(config) if it cannot be started, Error(reward) if it ends, writes something
   * else or is silent for start_seconds. */
  explicit CommandReward(const CommandRewardOptions& options);
  ~CommandReward();
  CommandReward(const CommandReward&) = delete;
  CommandReward& operator=(const CommandReward&) = delete;

  /** One score per pair, in order. Whatever goes wrong masks samples, with the reason in `raw_reply`, and is logged
   * once per batch with counts; it never becomes a 0:
   *  - an "error", a score or check that is no finite number: that sample;
   *  - the program ends: the samples it was sent and had not answered; it is started again for those not yet sent;
   *  - batch_seconds are over: all open samples; the program is ended, to be started again by the next batch;
   *  - no restarts left: all samples.
   *  Lines that answer nothing, such as chatter or unknown ids, are skipped and quoted in the log.
   *  Any thread may call; batches of several threads wait for each other. Throws Error(io) if pictures cannot be
   * written and Error(data) if a prompt's metadata is no JSON object. */
  std::vector<Score> score(const std::vector<ScoredPair>& pairs);

 private:
  struct Batch;
  void ask(Batch& batch, double seconds);
  bool ensure_process(Batch& batch);
  void check_start();

  CommandRewardOptions options_;
  std::mutex mutex_;
  std::unique_ptr<LineProcess> process_;  // null while none runs
  int64_t restarts_in_a_row_ = 0;
  int64_t next_id_ = 0;
};

}  // namespace diptych
