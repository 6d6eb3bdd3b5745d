#pragma once
// What diptych uses of c10d, torch's library of collectives. No other file includes its headers, which compile slowly.

#include <chrono>
#include <exception>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "diptych/distributed/place.h"
#include "diptych/tensor/torch.h"

namespace diptych {

/** The key-value store where the ranks meet: c10d's TCPStore, held by rank 0 or by the launcher. Calls throw
 *  std::exception when it is gone, and block for as long as the process that holds it is stopped. Copies are the same
 *  connection, one call at a time. */
class KeyStore {
 public:
  /** Binds the port on the rank that holds the store, connects to it on the others. Throws Error(peer) if it does not
   *  answer within `timeout`, Error(io) if the port cannot be bound. */
  KeyStore(const ProcessPlace& place, std::chrono::milliseconds timeout);
  /** One more connection to the same store. */
  KeyStore connect_again() const;

  void set(const std::string& key, const std::string& value);
  bool has(const std::string& key);
  /** Waits for the key; false if it is not there after `timeout`. */
  bool wait_for(const std::string& key, std::chrono::milliseconds timeout);
  /** The value of a key that is there. */
  std::string get(const std::string& key);
  /** Sets a key that is not there, and returns the value it has now. */
  std::string set_if_absent(const std::string& key, const std::string& value);

 private:
  friend class Transport;
  struct Connection;
  explicit KeyStore(std::shared_ptr<Connection> connection) : connection_(std::move(connection)) {}
  std::shared_ptr<Connection> connection_;
};

enum class Reduction { sum, max };

/** Whether tensors of CUDA go through NCCL. */
bool nccl_compiled_in();
/** What tells a GPU that goes through NCCL from all others; empty for other devices. */
std::string nccl_gpu(at::Device device);
/** What c10d says in an exception, in one line and without its stack trace. NCCL gives the cause in the last of several
 *  lines. */
std::string words_of(const std::exception& error);

/** Collectives among all ranks, which must call the same ones in the same order with equal shapes and types. Tensors
 *  must be contiguous. Those on the CPU go through Gloo; those of a GPU through NCCL where it was compiled in, else by
 *  way of the CPU. A call throws what c10d throws when a peer is gone. */
class Transport {
 public:
  /** Connects all ranks with each other; keys of `store` begin with `prefix`. `while_waiting` is called at least every
   *  `slice` while a collective waits for other ranks: what it throws ends the wait. */
  Transport(const KeyStore& store, const std::string& prefix, const ProcessPlace& place,
            std::chrono::milliseconds timeout, std::chrono::milliseconds slice, std::function<void()> while_waiting);
  ~Transport();

  void all_reduce(Tensor tensor, Reduction reduction);
  /** Each tensor from its root; all are under way at once, but for those that go by way of the CPU. */
  void broadcast(const std::vector<Tensor>& tensors, const std::vector<int>& roots);
  /** Each tensor becomes the sum on its root, and is undefined on the others; under way as above. */
  void reduce_sum(const std::vector<Tensor>& tensors, const std::vector<int>& roots);
  /** `outputs`: one tensor for each rank, with the shape of `input`. */
  void all_gather(std::vector<Tensor> outputs, Tensor input);

  /** After a failure: does not wait for what still runs in the background, and leaves it to the end of the process. */
  void abandon();

 private:
  struct Backends;
  std::unique_ptr<Backends> backends_;
};

}  // namespace diptych
