#include "diptych/distributed/transport.h"

#include <c10/util/Logging.h>
#include <torch/csrc/distributed/c10d/PrefixStore.hpp>
#include <torch/csrc/distributed/c10d/ProcessGroupGloo.hpp>
#include <torch/csrc/distributed/c10d/TCPStore.hpp>
// A CUDA build of torch promises NCCL even where its headers, or those of CUDA, are not installed.
#if defined(USE_C10D_NCCL) && __has_include(<nccl.h>) && __has_include(<cuda_runtime_api.h>)
#define DIPTYCH_NCCL
#include <torch/csrc/distributed/c10d/ProcessGroupNCCL.hpp>
#endif

#include <cstdlib>
#include <thread>

#include "diptych/base/error.h"
#include "diptych/base/text_format.h"

namespace diptych {

using std::chrono::milliseconds;

struct KeyStore::Connection {
  c10::intrusive_ptr<c10d::Store> store;
};

namespace {

bool is_this_machine(const std::string& address) {
  return address == "localhost" || address == "::1" || address.starts_with("127.");
}

std::string first_line(const std::exception& error) {
  const std::string text = error.what();
  return text.substr(0, text.find('\n'));
}

/** c10d prints a stack trace for every connection that breaks, where our errors name the rank. Its users' variable
 *  brings them back. */
void silence_c10d() {
  constexpr int fatal_only = 3;
  if (std::getenv("TORCH_CPP_LOG_LEVEL") == nullptr) FLAGS_caffe2_log_level = fatal_only;
}

c10::intrusive_ptr<c10d::Store> open_store(const ProcessPlace& place, milliseconds timeout) {
  silence_c10d();
  c10d::TCPStoreOptions options;
  options.port = static_cast<uint16_t>(place.master_port);
  options.isServer = place.rank == 0 && !place.agent_store;
  options.waitWorkers = false;
  options.timeout = timeout;
  const std::string address = cat(place.master_address, ":", place.master_port);
  try {
    return c10::make_intrusive<c10d::TCPStore>(place.master_address, options);
  } catch (const std::exception& error) {
    if (options.isServer)
      throw Error(ExitCode::io, {cat("rank 0 of ", place.world), cat("a free port ", address), first_line(error),
                                 "another run may use it: choose another MASTER_PORT"});
    throw Error(ExitCode::peer,
                {cat("rank ", place.rank, " of ", place.world),
                 cat(place.agent_store ? "the launcher" : "rank 0", " at ", address, " within ",
                     fixed(static_cast<double>(timeout.count()) / 1000, 0), " s"),
                 "no answer", "look whether it runs, and whether this machine reaches it under that address"});
  }
}

/** Where this rank listens for the others. The name of the machine may not resolve, or to an address that others do not
 *  reach: GLOO_SOCKET_IFNAME names the network interface instead, as for torch's own programs. */
std::shared_ptr<gloo::transport::Device> listening_device(const std::string& master_address) {
  using c10d::ProcessGroupGloo;
  if (const char* interface = std::getenv("GLOO_SOCKET_IFNAME"))
    return ProcessGroupGloo::createDeviceForInterface(interface);
  if (is_this_machine(master_address)) return ProcessGroupGloo::createDeviceForHostname(master_address);
  return ProcessGroupGloo::createDefaultDevice();
}

/** Runs a collective on a copy of the tensor that it changes. */
void by_way_of_cpu(const Tensor& tensor, const std::function<void(const Tensor& host)>& collective) {
  const Tensor host = tensor.cpu();
  collective(host);
  tensor.copy_(host);
}

#ifdef DIPTYCH_NCCL
c10::intrusive_ptr<c10d::Backend> make_nccl(const c10::intrusive_ptr<c10d::Store>& store, const ProcessPlace& place,
                                            milliseconds timeout) {
  auto options = c10d::ProcessGroupNCCL::Options::create();
  // Its watchdog ends the process without a word about the culprit, so it must come after our own deadline.
  options->timeout = timeout + std::chrono::minutes(2);
  return c10::make_intrusive<c10d::ProcessGroupNCCL>(c10::make_intrusive<c10d::PrefixStore>("nccl", store), place.rank,
                                                     place.world, options);
}
#endif

}  // namespace

KeyStore::KeyStore(const ProcessPlace& place, milliseconds timeout)
    : connection_(std::make_shared<Connection>(open_store(place, timeout))) {}

KeyStore KeyStore::connect_again() const {
  return KeyStore(std::make_shared<Connection>(connection_->store->clone()));
}

void KeyStore::set(const std::string& key, const std::string& value) {
  connection_->store->set(key, value);
}

bool KeyStore::has(const std::string& key) {
  return connection_->store->check({key});
}

bool KeyStore::wait_for(const std::string& key, milliseconds timeout) {
  try {
    connection_->store->wait({key}, timeout);
    return true;
  } catch (const std::exception&) {
    return has(key);  // throws if the store is gone
  }
}

std::string KeyStore::get(const std::string& key) {
  return connection_->store->get_to_str(key);
}

std::string KeyStore::set_if_absent(const std::string& key, const std::string& value) {
  return connection_->store->compareSet(key, std::string(), value);
}

struct Transport::Backends {
  c10::intrusive_ptr<c10d::Store> store;
  ProcessPlace place;
  milliseconds timeout;
  milliseconds slice;
  std::function<void()> while_waiting;
  c10::intrusive_ptr<c10d::Backend> gloo;
  c10::intrusive_ptr<c10d::Backend> nccl;

  /** The back end for tensors of this device; nullptr where they have to go by way of the CPU. */
  c10d::Backend* of(const Tensor& tensor) {
    if (tensor.is_cpu()) return gloo.get();
#ifdef DIPTYCH_NCCL
    if (tensor.is_cuda()) {
      if (!nccl) nccl = make_nccl(store, place, timeout);
      return nccl.get();
    }
#endif
    return nullptr;
  }

  void finish(const c10::intrusive_ptr<c10d::Work>& work, const Tensor& tensor) {
    if (tensor.is_cpu()) {
      wait_for_gloo(*work);
    } else {
      wait_for_nccl(*work);
    }
  }

  /** Starts a collective of each tensor, in their order, then waits for all of them. */
  void for_each(const std::vector<Tensor>& tensors,
                const std::function<c10::intrusive_ptr<c10d::Work>(c10d::Backend& backend, std::vector<Tensor>& tensor,
                                                                   size_t i)>& start) {
    std::vector<std::pair<c10::intrusive_ptr<c10d::Work>, Tensor>> started;
    for (size_t i = 0; i < tensors.size(); ++i) {
      if (c10d::Backend* backend = of(tensors[i])) {
        std::vector<Tensor> tensor = {tensors[i]};
        started.emplace_back(start(*backend, tensor, i), tensors[i]);
      } else {
        by_way_of_cpu(tensors[i], [&](const Tensor& host) {
          std::vector<Tensor> tensor = {host};
          finish(start(*gloo, tensor, i), host);
        });
      }
    }
    for (const auto& [work, tensor] : started) finish(work, tensor);
  }

  void wait_for_gloo(c10d::Work& work) {
    while (true) {
      try {
        work.wait(slice);
        return;
      } catch (const std::exception&) {
        if (work.isCompleted()) throw;  // else the slice is over
      }
      while_waiting();
    }
  }

  /** NCCL's own wait() only holds up the stream: whether the peers have come is seen by asking. */
  void wait_for_nccl(c10d::Work& work) {
    auto next_look = std::chrono::steady_clock::now() + slice;
    while (!work.isCompleted()) {
      std::this_thread::sleep_for(std::chrono::microseconds(50));
      if (std::chrono::steady_clock::now() < next_look) continue;
      while_waiting();
      next_look += slice;
    }
    work.wait();
  }
};

Transport::Transport(const KeyStore& store, const std::string& prefix, const ProcessPlace& place, milliseconds timeout,
                     milliseconds slice, std::function<void()> while_waiting)
    : backends_(std::make_unique<Backends>()) {
  backends_->store = c10::make_intrusive<c10d::PrefixStore>(prefix, store.connection_->store);
  backends_->place = place;
  backends_->timeout = timeout;
  backends_->slice = slice;
  backends_->while_waiting = std::move(while_waiting);
  const auto options = c10d::ProcessGroupGloo::Options::create(timeout);
  options->devices.push_back(listening_device(place.master_address));
  options->threads = 1;  // collectives come one after the other
  backends_->gloo = c10::make_intrusive<c10d::ProcessGroupGloo>(
      c10::make_intrusive<c10d::PrefixStore>("gloo", backends_->store), place.rank, place.world, options);
}

Transport::~Transport() = default;

void Transport::abandon() {
  // The destructors of c10d wait for what still runs, which may be a peer that never comes.
  backends_->gloo.release();
  backends_->nccl.release();
}

void Transport::all_reduce(Tensor tensor, Reduction reduction) {
  backends_->for_each({tensor}, [&](c10d::Backend& backend, std::vector<Tensor>& tensors, size_t /*i*/) {
    c10d::AllreduceOptions options;
    options.reduceOp = reduction == Reduction::sum ? c10d::ReduceOp::SUM : c10d::ReduceOp::MAX;
    return backend.allreduce(tensors, options);
  });
}

void Transport::broadcast(const std::vector<Tensor>& tensors, const std::vector<int>& roots) {
  backends_->for_each(tensors, [&](c10d::Backend& backend, std::vector<Tensor>& tensor, size_t i) {
    c10d::BroadcastOptions options;
    options.rootRank = roots[i];
    return backend.broadcast(tensor, options);
  });
}

void Transport::reduce_sum(const std::vector<Tensor>& tensors, const std::vector<int>& roots) {
  backends_->for_each(tensors, [&](c10d::Backend& backend, std::vector<Tensor>& tensor, size_t i) {
    c10d::ReduceOptions options;
    options.reduceOp = c10d::ReduceOp::SUM;
    options.rootRank = roots[i];
    return backend.reduce(tensor, options);
  });
}

void Transport::all_gather(std::vector<Tensor> outputs, Tensor input) {
  c10d::Backend* backend = backends_->of(input);
  if (backend == nullptr) {
    std::vector<Tensor> hosts;
    for (const Tensor& output : outputs) hosts.push_back(output.cpu());
    all_gather(hosts, input.cpu());
    for (size_t i = 0; i < outputs.size(); ++i) outputs[i].copy_(hosts[i]);
    return;
  }
  std::vector<std::vector<Tensor>> lists = {std::move(outputs)};
  std::vector<Tensor> inputs = {input};
  backends_->finish(backend->allgather(lists, inputs), input);
}

}  // namespace diptych
