#include "diptych/distributed/transport.h"

#include <c10/core/DeviceGuard.h>
#include <c10/util/Logging.h>
#include <torch/csrc/distributed/c10d/PrefixStore.hpp>
#include <torch/csrc/distributed/c10d/ProcessGroupGloo.hpp>
#include <torch/csrc/distributed/c10d/TCPStore.hpp>
// A CUDA build of torch promises NCCL even where its headers, or those of CUDA, are not installed.
#if defined(USE_C10D_NCCL) && __has_include(<nccl.h>) && __has_include(<cuda_runtime_api.h>)
#define DIPTYCH_NCCL
#include <ATen/cuda/CUDAContextLight.h>
#include <torch/csrc/distributed/c10d/ProcessGroupNCCL.hpp>
#endif

#include <csignal>
#include <cstdlib>
#include <sstream>
#include <thread>

#include "diptych/base/error.h"
#include "diptych/base/log.h"
#include "diptych/base/text_format.h"
#include "diptych/distributed/task_thread.h"
#include "diptych/distributed/waiting.h"

namespace diptych {

using std::chrono::milliseconds;

struct KeyStore::Connection {
  c10::intrusive_ptr<c10d::Store> store;
};

namespace {

bool is_this_machine(const std::string& address) {
  return address == "localhost" || address == "::1" || address.starts_with("127.");
}

/** c10d prints a stack trace for every connection that breaks, where our errors name the rank. Where one of NCCL's
 *  breaks, its watchdog ends the process before they can. Its users' variables bring both back. */
void silence_c10d() {
  constexpr int fatal_only = 3;
  if (std::getenv("TORCH_CPP_LOG_LEVEL") == nullptr) FLAGS_caffe2_log_level = fatal_only;
#ifdef DIPTYCH_NCCL
  ::setenv("TORCH_NCCL_ASYNC_ERROR_HANDLING", "0", /*overwrite=*/0);
#endif
}

/** The store writes to sockets of ranks that may have been killed, and the signal would end this one without a word.
 *  Without it the write fails, as everything that is written is checked. */
void ignore_broken_pipes() {
  struct sigaction previous {};
  sigaction(SIGPIPE, nullptr, &previous);
  if (previous.sa_handler == SIG_DFL) ::signal(SIGPIPE, SIG_IGN);
}

c10::intrusive_ptr<c10d::Store> open_store(const ProcessPlace& place, milliseconds timeout) {
  silence_c10d();
  ignore_broken_pipes();
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
      throw Error(ExitCode::io, {cat("rank 0 of ", place.world), cat("a free port ", address), words_of(error),
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

bool nccl_compiled_in() {
#ifdef DIPTYCH_NCCL
  return true;
#else
  return false;
#endif
}

std::string nccl_gpu([[maybe_unused]] at::Device device) {
  std::ostringstream digits;
#ifdef DIPTYCH_NCCL
  if (device.is_cuda())
    for (const char byte : at::cuda::getDeviceProperties(device.index())->uuid.bytes)
      digits << std::hex << static_cast<int>(static_cast<unsigned char>(byte)) << '.';
#endif
  return digits.str();
}

std::string words_of(const std::exception& error) {
  const std::string text = error.what();
  std::istringstream lines(text.substr(0, text.find("\nException raised from")));
  std::vector<std::string> words;
  for (std::string word; lines >> word;) words.push_back(word);
  return join(words, " ");
}

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
  std::unique_ptr<TaskThread> starter = std::make_unique<TaskThread>();
  bool told_of_detour = false;

  using Work = c10::intrusive_ptr<c10d::Work>;
  /** Starts the collective of tensor i, which is alone in the list. Owns what it uses. */
  using Call = std::function<Work(c10d::Backend& backend, std::vector<Tensor>& tensor, size_t i)>;

  /** The back end for tensors of this device; nullptr where they have to go by way of the CPU. */
  c10d::Backend* of(const Tensor& tensor) {
    if (tensor.is_cpu()) return gloo.get();
#ifdef DIPTYCH_NCCL
    if (tensor.is_cuda()) {
      if (!nccl) nccl = make_nccl(store, place, timeout);
      return nccl.get();
    }
#endif
    if (tensor.is_cuda()) tell_of_detour();
    return nullptr;
  }

  void tell_of_detour() {
    if (place.rank == 0 && !told_of_detour)
      log_warning(
          "NCCL is not compiled in: gradients and weights go from GPU to GPU by way of the CPU, many times slower. "
          "Build where the headers of NCCL and CUDA are found (docs/gpu.md)");
    told_of_detour = true;
  }

  /** Starts a collective. NCCL connects itself with the peers when it first needs them, and blocks until they come: so
   *  another thread starts what is NCCL's, and is left behind if that never ends. `call` owns what it uses. */
  Work start(c10d::Backend& backend, at::Device device, std::function<Work(c10d::Backend& backend)> call) {
    if (device.is_cpu()) return call(backend);
    const auto work = std::make_shared<Work>();
    std::future<void> started = starter->start([&backend, device, call = std::move(call), work] {
      const c10::DeviceGuard there(device);
      *work = call(backend);
    });
    wait_for_thread(started, slice, while_waiting);
    return *work;
  }

  void finish(const Work& work, const Tensor& tensor) {
    if (tensor.is_cpu()) {
      wait_for_work(*work, slice, while_waiting);
    } else {
      wait_for_nccl(*work);
    }
  }

  /** Starts a collective of each tensor, in their order, then waits for all of them. */
  void for_each(const std::vector<Tensor>& tensors, const Call& call) {
    const auto start_one = [&](c10d::Backend& backend, const Tensor& tensor, size_t i) {
      return start(backend, tensor.device(), [call, list = std::vector<Tensor>{tensor}, i](c10d::Backend& its) mutable {
        return call(its, list, i);
      });
    };
    std::vector<std::pair<Work, Tensor>> started;
    for (size_t i = 0; i < tensors.size(); ++i) {
      if (c10d::Backend* backend = of(tensors[i])) {
        started.emplace_back(start_one(*backend, tensors[i], i), tensors[i]);
      } else {
        by_way_of_cpu(tensors[i], [&](const Tensor& host) { finish(start_one(*gloo, host, i), host); });
      }
    }
    for (const auto& [work, tensor] : started) finish(work, tensor);
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
    // wait() throws nothing of this, and what has failed would pass for done.
    if (const std::exception_ptr failure = work.exception()) std::rethrow_exception(failure);
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
  (void)backends_->starter.release();
}

void Transport::all_reduce(Tensor tensor, Reduction reduction) {
  backends_->for_each({tensor}, [reduction](c10d::Backend& backend, std::vector<Tensor>& tensors, size_t /*i*/) {
    c10d::AllreduceOptions options;
    options.reduceOp = reduction == Reduction::sum ? c10d::ReduceOp::SUM : c10d::ReduceOp::MAX;
    return backend.allreduce(tensors, options);
  });
}

void Transport::broadcast(const std::vector<Tensor>& tensors, const std::vector<int>& roots) {
  backends_->for_each(tensors, [roots](c10d::Backend& backend, std::vector<Tensor>& tensor, size_t i) {
    c10d::BroadcastOptions options;
    options.rootRank = roots[i];
    return backend.broadcast(tensor, options);
  });
}

void Transport::reduce_sum(const std::vector<Tensor>& tensors, const std::vector<int>& roots) {
  backends_->for_each(tensors, [roots](c10d::Backend& backend, std::vector<Tensor>& tensor, size_t i) {
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
  const auto call = [lists = std::vector<std::vector<Tensor>>{std::move(outputs)}, inputs = std::vector<Tensor>{input}](
                        c10d::Backend& its) mutable { return its.allgather(lists, inputs); };
  backends_->finish(backends_->start(*backend, input.device(), call), input);
}

}  // namespace diptych
