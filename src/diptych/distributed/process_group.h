#pragma once
// Collectives among the processes of a run, each with a name, a deadline and a culprit when it fails.

#include <chrono>
#include <cstdint>
#include <future>
#include <memory>
#include <string>
#include <vector>

#include "diptych/distributed/place.h"
#include "diptych/tensor/torch.h"

namespace diptych {

/** A collective that was started and not yet waited for. */
class StartedCollective {
 private:
  friend class ProcessGroup;
  std::future<void> done_;
};

/** The processes ("ranks") of a run. Every rank calls the same collectives in the same order, from one thread at a
 * time.
 *
 *  - Each has a name, `what`. Before data moves, the ranks compare name, shapes and types: where they differ, all throw
 *    Error(peer) that names the ranks which do something else, and what.
 *  - Where a rank does not come within the deadline, or its process is gone or stopped for a minute, the others throw
 *    Error(peer) that names it. The group is then broken: every later collective throws the same at once. Let the
 *    process end, by _Exit after its files are closed: what c10d runs in the background cannot be ended otherwise.
 *  - Tensors are contiguous, of float32, bfloat16, float64, int64, int32 or uint8, on the CPU (Gloo) or on a GPU (NCCL
 *    where compiled in, else by way of the CPU; work must be on the default stream).
 *  - With one rank nothing is started, and every collective is the identity.
 *
 *  Order of addition. Each element is added up once, in a chain through the ranks in their cyclic order, and all ranks
 *  get that one sum: the same bits everywhere. Where in the circle the chain starts depends on the element's place in
 *  the tensor. So with two ranks every element is the rounded sum of two numbers; with more, other worlds or other
 *  shapes round in another order, by at most (world - 1) roundings of the tensor's own type: add up gradients in
 *  float32, not in bfloat16. */
class ProcessGroup {
 public:
  using Deadline = std::chrono::milliseconds;
  static constexpr Deadline kDefaultDeadline = std::chrono::seconds(600);

  /** A single process. */
  ProcessGroup();
  /** Meets the other ranks at place.master_address. Throws Error(peer) naming those that do not come in time, Error(io)
   *  if rank 0 cannot bind the port. */
  explicit ProcessGroup(const ProcessPlace& place, Deadline deadline = kDefaultDeadline);
  /** Leaves the group. Rank 0 may wait a few seconds until the others have left. */
  ~ProcessGroup();
  ProcessGroup(ProcessGroup&&) noexcept;
  ProcessGroup& operator=(ProcessGroup&&) noexcept;

  int rank() const { return place_.rank; }
  int world() const { return place_.world; }
  /** Among the processes of its machine. */
  int local_rank() const { return place_.local_rank; }
  /** Tells that collectives will be of tensors on this device, and connects it with those of the other ranks. A
   *  collective, but for the CPU. Throws Error(config) naming the ranks that have one GPU where NCCL needs several. */
  void connect(at::Device device);

  /** In place: the sum over the ranks. */
  void all_reduce_sum(const Tensor& tensor, const std::string& what);
  /** The same for tensors of one type and device, copied together into buckets of up to 64 MiB. */
  void all_reduce_sum(const std::vector<Tensor>& tensors, const std::string& what);
  /** In place: the largest value over the ranks. NaN may get lost in it. */
  void all_reduce_max(const Tensor& tensor, const std::string& what);
  /** In place, all at once: of each tensor the values that the rank at its place in `roots` has. */
  void broadcast(const std::vector<Tensor>& tensors, const std::vector<int>& roots, const std::string& what);
  /** In place on the root of each tensor: the sum over the ranks, added up in an order of c10d's that depends on
   * nothing but world, root and shape. On the other ranks the tensors hold nothing of use afterwards. */
  void reduce_sum(const std::vector<Tensor>& tensors, const std::vector<int>& roots, const std::string& what);
  /** The bytes of each rank, in their order, on all ranks. Lengths may differ. */
  std::vector<std::string> gather_strings(const std::string& own, const std::string& what);
  /** Returns when all ranks have come. */
  void barrier(const std::string& what);
  /** Throws Error(peer) on all ranks if their checksums differ, naming those that deviate from the majority. The group
   *  stays whole. */
  void check_same(const std::string& what, uint64_t checksum);

  /** Starts all_reduce_sum in the background; collectives run in the order of their calls. The tensor is not to be
   *  touched until wait(), which throws what the collective threw. */
  StartedCollective start_all_reduce_sum(const Tensor& tensor, const std::string& what);
  void wait(StartedCollective& started);

  /** Tells the others why this rank is about to end with an error, so that they end within seconds and say so, instead
   *  of waiting for it. Takes a few seconds at most; never throws. The group is then broken. */
  void announce_failure(const std::string& reason) noexcept;

 private:
  struct Members;
  Members& in_turn();
  void reduce_bucket(const std::vector<Tensor>& tensors, const std::string& what);

  ProcessPlace place_;
  std::unique_ptr<Members> members_;  // nullptr with one rank
};

/** The group of a process by itself, in which every collective is the identity. One for the program: it has no state.
 */
ProcessGroup& single_process();

}  // namespace diptych
