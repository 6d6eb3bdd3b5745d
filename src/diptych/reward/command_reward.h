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
#include <functional>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include "diptych/reward/scorer_environment.h"
#include "diptych/reward/task.h"

namespace diptych {

class LineProcess;

struct CommandRewardOptions {
  std::vector<std::string> command;  // program and arguments; no shell reads it
  double start_seconds = 600;        // for the first answer of all, loading a model included
  double batch_seconds = 300;        // for all answers of a batch, restarts included
  int64_t restarts = 3;              // in a row; a batch that is answered in full sets the count back
};

/** What the program's user tells of itself. */
struct CommandContext {
  ScorerPlace place = {};
  /** Whether the user wants an end; asked ten times a second while the program works, from any thread. */
  std::function<bool()> stop_requested = [] { return false; };
  // The trial: the user's first prompt with what came with it, and a grey picture of the run's size.
  std::function<TaskPrompt()> first_prompt = [] { return TaskPrompt(); };
  bool with_text = false;  // samples come with a text
  int image_height = 32;
  int image_width = 32;
};

/** The program runs until the object is gone: then its input ends, and after two seconds it is killed with all that it
 *  started. It has a process group of its own, so Ctrl-C on the terminal does not reach it. */
class CommandReward {
 public:
  /** Starts the program and tries it on the context's prompt and a grey picture, to learn before any work whether it
   *  answers at all; an "error" is an answer. Removes pictures that killed runs left. Throws Error(config) if it cannot
   *  be started, Error(reward) if it ends, writes something else or is silent for start_seconds, Error(interrupted)
   * when the user wants an end. */
  explicit CommandReward(const CommandRewardOptions& options, CommandContext context = {});
  ~CommandReward();
  CommandReward(const CommandReward&) = delete;
  CommandReward& operator=(const CommandReward&) = delete;

  /** One score per pair, in order. Whatever goes wrong masks samples, with the reason in `raw_reply`, and is logged
   * once per batch with counts; it never becomes a 0:
   *  - an "error", a score or check that is no finite number: that sample;
   *  - the program ends: the samples it was sent and had not answered; it is started again for those not yet sent;
   *  - batch_seconds are over: all open samples; the program is ended, to be started again by the next batch;
   *  - no restarts left: all samples.
   *  Lines that answer nothing, such as chatter or unknown ids, are skipped; the first of a batch is quoted in the log
   * when it comes. When the program has written a line for every request, so that some stand in the place of answers,
   * and is then silent for longer than before, the open samples are masked: no more is to be expected of it.
   *  Any thread may call; batches of several threads wait for each other. Throws Error(io) if pictures cannot be
   * written, Error(data) if a prompt's metadata is no JSON object, Error(interrupted) when the user wants an end. */
  std::vector<Score> score(const std::vector<ScoredPair>& pairs);

 private:
  struct Batch;
  void ask(Batch& batch, double seconds);
  bool ensure_process(Batch& batch);
  void start_process();
  void try_out();

  CommandRewardOptions options_;
  CommandContext context_;
  std::mutex mutex_;
  std::unique_ptr<LineProcess> process_;  // null while none runs
  int64_t restarts_in_a_row_ = 0;
  int64_t next_id_ = 0;
  std::set<int64_t> given_up_;  // requests that the running program may still answer, too late
};

}  // namespace diptych
