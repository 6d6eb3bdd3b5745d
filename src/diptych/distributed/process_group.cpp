#include "diptych/distributed/process_group.h"

#include <algorithm>
#include <array>
#include <cstring>

#include "diptych/base/error.h"
#include "diptych/base/text_format.h"
#include "diptych/distributed/machine.h"
#include "diptych/distributed/meeting.h"
#include "diptych/distributed/roll_call.h"
#include "diptych/distributed/task_thread.h"
#include "diptych/distributed/transport.h"
#include "diptych/io/files.h"
#include "diptych/tensor/flat.h"

namespace diptych {

using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

namespace {

constexpr int64_t kBucketBytes = 64 << 20;
constexpr milliseconds kLongestBeat{1000};
constexpr milliseconds kLongestSilence{60'000};

/** What every rank shows the others before a collective. */
struct Ticket {
  uint64_t value = 0;  // a length or a checksum
  std::string name;
};
constexpr int64_t kTicketBytes = 256;

Tensor bytes_of(const Ticket& ticket) {
  TORCH_CHECK(ticket.name.size() < kTicketBytes - sizeof ticket.value, "a collective needs a shorter name");
  const Tensor bytes = at::zeros({kTicketBytes}, at::kByte);
  std::memcpy(bytes.mutable_data_ptr(), &ticket.value, sizeof ticket.value);
  ticket.name.copy(static_cast<char*>(bytes.mutable_data_ptr()) + sizeof ticket.value, ticket.name.size());
  return bytes;
}

Ticket ticket_of(const Tensor& bytes) {
  Ticket ticket;
  std::memcpy(&ticket.value, bytes.const_data_ptr(), sizeof ticket.value);
  ticket.name = static_cast<const char*>(bytes.const_data_ptr()) + sizeof ticket.value;
  return ticket;
}

/** "all_reduce_sum `gradients` of float [3, 4]" */
std::string title(const char* kind, const std::string& what, const Tensor& tensor) {
  return cat(kind, " `", what, "` of ", c10::toString(tensor.scalar_type()), " ", tensor.sizes());
}

void check_tensor(const Tensor& tensor) {
  const at::ScalarType type = tensor.scalar_type();
  TORCH_CHECK(tensor.is_contiguous(), "collectives need contiguous tensors");
  TORCH_CHECK(type == at::kFloat || type == at::kBFloat16 || type == at::kDouble || type == at::kLong ||
                  type == at::kInt || type == at::kByte,
              "no collectives of ", type);
}

/** "broadcast `weights` of 18 tensors (layout 5f3a...)": the layout tells types, shapes and roots apart. */
std::string title(const char* kind, const std::string& what, const std::vector<Tensor>& tensors,
                  const std::vector<int>& roots, int world) {
  TORCH_CHECK(tensors.size() == roots.size(), "a root for each tensor");
  std::string layout;
  for (size_t i = 0; i < tensors.size(); ++i) {
    check_tensor(tensors[i]);
    TORCH_CHECK(roots[i] >= 0 && roots[i] < world, "a rank of this group");
    layout += cat(roots[i], ' ', tensors[i].scalar_type(), ' ', tensors[i].sizes(), '\n');
  }
  return cat(kind, " `", what, "` of ", tensors.size(), " tensors (layout ", hash_bytes(layout).substr(0, 16), ")");
}

/** The value of most ranks; of several that are equally frequent, that of the lowest rank. */
const std::string& most_frequent(const std::vector<std::string>& values) {
  return *std::ranges::max_element(values, {}, [&](const auto& value) { return std::ranges::count(values, value); });
}

/** "rank 1 has b; rank 0, 2 have a", those that deviate from the majority first; empty if all are the same. */
std::string describe_deviation(const std::vector<std::string>& values) {
  const std::string& usual = most_frequent(values);
  std::vector<std::string> deviating;
  std::vector<size_t> agreeing;
  for (size_t rank = 0; rank < values.size(); ++rank) {
    if (values[rank] == usual) {
      agreeing.push_back(rank);
    } else {
      deviating.push_back(cat("rank ", rank, " has ", values[rank]));
    }
  }
  if (deviating.empty()) return "";
  return cat(join(deviating, "; "), "; rank ", join(agreeing, ", "), agreeing.size() == 1 ? " has " : " have ", usual);
}

}  // namespace

struct ProcessGroup::Members {
  ProcessPlace place;
  Deadline deadline;
  int64_t number = 0;       // of the last collective
  std::string name;         // its title
  Clock::time_point begin;  // of its current phase
  KeyStore store;           // outlives those who use it
  std::unique_ptr<RollCall> roll_call;
  std::unique_ptr<Transport> transport;
  TaskThread background;  // goes first, with what it still has to do

  Members(const ProcessPlace& place, Deadline deadline)
      : place(place), deadline(deadline), name("meeting"), begin(Clock::now()), store(place, deadline) {
    const milliseconds beat = std::clamp(deadline / 4, milliseconds(10), kLongestBeat);
    const std::string prefix = meet(store, place, deadline);
    try {
      roll_call =
          std::make_unique<RollCall>(store.connect_again(), prefix, place, beat, std::min(deadline, kLongestSilence));
    } catch (const std::exception&) {
      throw_broken("rank 0 is gone just after the ranks met");
    }
    guarded([&] {
      transport = std::make_unique<Transport>(store, prefix, place, deadline, beat, [this] { look_around(); });
    });
  }

  ~Members() {
    background.wait_until_idle();
    roll_call.reset();
  }

  std::string where() const {
    return cat("rank ", place.rank, " of ", place.world, ", collective #", number, " ", name);
  }

  [[noreturn]] void throw_broken(const std::string& verdict) const {
    throw Error(
        ExitCode::peer,
        {where(), cat("all ranks within ", fixed(static_cast<double>(deadline.count()) / 1000, 0), " s"), verdict,
         "look at the output of the ranks named; the same command continues the run from its last checkpoint"});
  }

  /** Ends the wait of a collective: some rank has found the group broken, or the deadline is over. */
  void look_around() const {
    if (const auto verdict = roll_call->verdict()) throw std::runtime_error(*verdict);
    if (Clock::now() - begin > deadline) throw std::runtime_error("the deadline is over");
  }

  void guarded(const std::function<void()>& action) {
    begin = Clock::now();
    try {
      action();
    } catch (const std::exception& error) {
      const std::string verdict = roll_call->find_culprit(number, words_of(error));
      if (transport) transport->abandon();
      throw_broken(verdict);
    }
  }

  /** Every collective begins here: all ranks show each other their tickets, in the order of ranks, and all of them must
   *  be for the same collective. Only then may data move: Gloo ends the process where sizes differ. */
  std::vector<Ticket> come_together(const std::string& title, uint64_t value = 0) {
    ++number;
    name = title;
    if (const auto verdict = roll_call->verdict()) throw_broken(*verdict);
    roll_call->come_to(number, name);
    const Tensor own = bytes_of({value, title});
    std::vector<Tensor> shown;
    for (int rank = 0; rank < place.world; ++rank) shown.push_back(at::empty_like(own));
    guarded([&] { transport->all_gather(shown, own); });
    std::vector<Ticket> tickets;
    std::vector<std::string> names;
    for (const Tensor& bytes : shown) {
      tickets.push_back(ticket_of(bytes));
      names.push_back(tickets.back().name);
    }
    const std::string deviation = describe_deviation(names);
    if (!deviation.empty())
      throw Error(ExitCode::peer, {where(), "the same collective on all ranks", cat("ranks diverged: ", deviation),
                                   "a bug, or ranks that read different recipes or data"});
    return tickets;
  }

  /** A collective of tensors, from the first to the last step. */
  void run(const std::string& title, const std::function<void()>& action) {
    come_together(title);
    guarded(action);
    roll_call->done();
  }

  void all_reduce(const Tensor& tensor, Reduction reduction, const std::string& what) {
    run(title(reduction == Reduction::sum ? "all_reduce_sum" : "all_reduce_max", what, tensor),
        [&] { transport->all_reduce(tensor, reduction); });
  }
};

ProcessGroup& single_process() {
  static ProcessGroup alone;
  return alone;
}

ProcessGroup::ProcessGroup() = default;
ProcessGroup::~ProcessGroup() = default;
ProcessGroup::ProcessGroup(ProcessGroup&&) noexcept = default;
ProcessGroup& ProcessGroup::operator=(ProcessGroup&&) noexcept = default;

ProcessGroup::ProcessGroup(const ProcessPlace& place, Deadline deadline) : place_(place) {
  if (place.world > 1) members_ = std::make_unique<Members>(place, deadline);
}

/** Once what was started before is over: the order of collectives is that of their calls. */
ProcessGroup::Members& ProcessGroup::in_turn() {
  members_->background.wait_until_idle();
  return *members_;
}

void ProcessGroup::connect(at::Device device) {
  if (!members_ || device.is_cpu()) return;
  const std::string own = cat(nccl_gpu(device), " ", device.str(), " of ", host_name());
  const std::string shared = find_shared_gpus(gather_strings(own, "GPUs of the ranks"));
  if (!shared.empty())
    throw Error(
        ExitCode::config,
        {"GPUs of the ranks", "one for each rank", shared,
         "run.device=cuda, without a number, gives each rank the GPU with its local rank, which the launcher tells "
         "(LOCAL_RANK); start no more ranks on a machine than it has GPUs"});
  all_reduce_sum(at::ones({1}, at::TensorOptions(device).dtype(at::kFloat)), "connection of the GPUs");
}

void ProcessGroup::all_reduce_sum(const Tensor& tensor, const std::string& what) {
  check_tensor(tensor);
  if (members_) in_turn().all_reduce(tensor, Reduction::sum, what);
}

void ProcessGroup::all_reduce_sum(const std::vector<Tensor>& tensors, const std::string& what) {
  for (size_t begin = 0; begin < tensors.size();) {
    size_t end = begin;
    size_t bytes = 0;
    for (; end < tensors.size() && (end == begin || bytes + tensors[end].nbytes() <= kBucketBytes); ++end) {
      TORCH_CHECK(tensors[end].scalar_type() == tensors[0].scalar_type(), "tensors of one type");
      bytes += tensors[end].nbytes();
    }
    if (end - begin == 1) {
      all_reduce_sum(tensors[begin], what);
    } else if (members_) {
      reduce_bucket({tensors.begin() + begin, tensors.begin() + end}, what);
    }
    begin = end;
  }
}

void ProcessGroup::reduce_bucket(const std::vector<Tensor>& tensors, const std::string& what) {
  const Tensor bucket = flattened(tensors);
  all_reduce_sum(bucket, what);
  const std::vector<Tensor> sums = views_of_flat(bucket, tensors);
  for (size_t i = 0; i < tensors.size(); ++i) tensors[i].copy_(sums[i]);
}

void ProcessGroup::all_reduce_max(const Tensor& tensor, const std::string& what) {
  check_tensor(tensor);
  if (members_) in_turn().all_reduce(tensor, Reduction::max, what);
}

void ProcessGroup::broadcast(const std::vector<Tensor>& tensors, const std::vector<int>& roots,
                             const std::string& what) {
  const std::string name = title("broadcast", what, tensors, roots, world());
  if (members_) in_turn().run(name, [&] { members_->transport->broadcast(tensors, roots); });
}

void ProcessGroup::reduce_sum(const std::vector<Tensor>& tensors, const std::vector<int>& roots,
                              const std::string& what) {
  const std::string name = title("reduce_sum", what, tensors, roots, world());
  if (members_) in_turn().run(name, [&] { members_->transport->reduce_sum(tensors, roots); });
}

std::vector<std::string> ProcessGroup::gather_strings(const std::string& own, const std::string& what) {
  if (!members_) return {own};
  Members& members = in_turn();
  const std::vector<Ticket> tickets = members.come_together(cat("gather_strings `", what, "`"), own.size());
  uint64_t longest = 0;
  for (const Ticket& ticket : tickets) longest = std::max(longest, ticket.value);
  const Tensor padded = at::zeros({static_cast<int64_t>(longest)}, at::kByte);
  std::vector<Tensor> outputs;
  for (int rank = 0; rank < world(); ++rank) outputs.push_back(at::empty_like(padded));
  if (longest > 0) {
    std::memcpy(padded.mutable_data_ptr(), own.data(), own.size());
    members.guarded([&] { members.transport->all_gather(outputs, padded); });
  }
  members.roll_call->done();
  std::vector<std::string> strings;
  for (size_t rank = 0; rank < tickets.size(); ++rank)
    strings.emplace_back(static_cast<const char*>(outputs[rank].const_data_ptr()), tickets[rank].value);
  return strings;
}

void ProcessGroup::barrier(const std::string& what) {
  if (!members_) return;
  in_turn().come_together(cat("barrier `", what, "`"));
  members_->roll_call->done();
}

void ProcessGroup::check_same(const std::string& what, uint64_t checksum) {
  if (!members_) return;
  const std::vector<Ticket> tickets = in_turn().come_together(cat("check_same `", what, "`"), checksum);
  members_->roll_call->done();
  std::vector<std::string> values;
  for (const Ticket& ticket : tickets) values.push_back(cat("checksum ", std::hex, ticket.value));
  const std::string deviation = describe_deviation(values);
  if (!deviation.empty())
    throw Error(ExitCode::peer, {members_->where(), cat("the same ", what, " on all ranks"), deviation,
                                 "a bug, ranks that read different recipes or files, or a defective machine"});
}

StartedCollective ProcessGroup::start_all_reduce_sum(const Tensor& tensor, const std::string& what) {
  check_tensor(tensor);
  StartedCollective started;
  if (members_)
    started.done_ = members_->background.start(
        [members = members_.get(), tensor, what] { members->all_reduce(tensor, Reduction::sum, what); });
  return started;
}

void ProcessGroup::wait(StartedCollective& started) {
  if (started.done_.valid()) started.done_.get();
}

void ProcessGroup::announce_failure(const std::string& reason) noexcept {
  if (!members_) return;
  try {
    members_->roll_call->announce(cat("rank ", rank(), " ended: ", reason));
  } catch (const std::exception&) {
    // The error at hand is the one to report.
  }
}

}  // namespace diptych
