#pragma once
// Who is alive and where: each rank tells the store, so that a collective that does not come about has a culprit.

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <thread>

#include "diptych/distributed/transport.h"

namespace diptych {

/** A thread that writes this rank's state into the store once a beat, and looks there for the verdict: one sentence
 *  that says why the group is broken. The first rank that finds out writes it, all others repeat it. The thread itself
 *  finds ranks that no longer write, since nothing else may tell: NCCL waits on for a peer that is gone. */
class RollCall {
 public:
  /** `prefix` of the keys in `store`, which is a connection of its own. `silence`: for how long a rank need not
   *  write. It counts in beats, of which it is at least five. */
  RollCall(KeyStore store, const std::string& prefix, const ProcessPlace& place, std::chrono::milliseconds beat,
           std::chrono::milliseconds silence);
  /** Tells that this rank leaves. The rank that holds the store then waits until all others have left, for up to five
   *  beats, since they may still have to read the verdict. */
  ~RollCall();
  RollCall(const RollCall&) = delete;
  RollCall& operator=(const RollCall&) = delete;

  /** This rank comes to collective `number`, and is through with it. */
  void come_to(int64_t number, const std::string& what);
  void done();

  /** Why the group is broken, as far as this rank has heard. Cheap. */
  std::optional<std::string> verdict() const;
  /** The verdict on collective `number`, which failed with `failure`: looks for the ranks to blame, for up to five
   *  beats. Returns in a bounded time even when the store does not answer, which is a verdict too. */
  std::string find_culprit(int64_t number, const std::string& failure);
  /** Writes a verdict of our own, and returns the one that counts. Takes no more than a few seconds. */
  std::string announce(const std::string& verdict);

 private:
  struct Shared;
  std::shared_ptr<Shared> shared_;  // the thread's as well, which is left behind when the store never answers
  std::thread thread_;
};

}  // namespace diptych
