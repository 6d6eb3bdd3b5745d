#pragma once
// Memory of the pretended GPU: pages that the host cannot touch until a kernel opens them.

#include "diptych/tensor/torch.h"

#include <sys/mman.h>
#include <unistd.h>

#include <cstring>

namespace diptych {

/** Pages that nobody may touch. The page before the data holds the size. */
struct Pages {
  static size_t page() { return static_cast<size_t>(sysconf(_SC_PAGESIZE)); }
  static size_t rounded(size_t bytes) { return (bytes + page() - 1) / page() * page(); }

  static void* allocate(size_t bytes) {
    if (bytes == 0) return nullptr;
    const size_t all = page() + rounded(bytes);
    void* start = mmap(nullptr, all, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    TORCH_CHECK(start != MAP_FAILED, "the pretended GPU is out of memory");
    std::memcpy(start, &bytes, sizeof bytes);
    void* data = static_cast<char*>(start) + page();
    protect(data, PROT_NONE);
    return data;
  }

  static void release(void* data) {
    if (data == nullptr) return;
    void* start = static_cast<char*>(data) - page();
    munmap(start, page() + rounded(size_of(data)));
  }

  static size_t size_of(const void* data) {
    size_t bytes = 0;
    std::memcpy(&bytes, static_cast<const char*>(data) - page(), sizeof bytes);
    return bytes;
  }

  static void protect(void* data, int rights) {
    TORCH_CHECK(mprotect(data, rounded(size_of(data)), rights) == 0, "mprotect failed");
  }
};

/** The tensor as one of the host, while its memory is open. */
class Opened {
 public:
  explicit Opened(const Tensor& tensor) : tensor_(tensor) {
    if (tensor.device().type() != c10::DeviceType::PrivateUse1) {
      view = tensor;
      return;
    }
    base_ = tensor.storage().mutable_data();
    if (base_ != nullptr) Pages::protect(base_, PROT_READ | PROT_WRITE);
    auto* first = static_cast<char*>(base_) + tensor.storage_offset() * static_cast<int64_t>(tensor.itemsize());
    view = at::from_blob(first, tensor.sizes(), tensor.strides(),
                         at::TensorOptions().dtype(tensor.dtype()).device(at::kCPU));
  }
  ~Opened() {
    if (base_ != nullptr) mprotect(base_, Pages::rounded(Pages::size_of(base_)), PROT_NONE);
  }
  Opened(const Opened&) = delete;
  Opened& operator=(const Opened&) = delete;

  Tensor view;

 private:
  Tensor tensor_;  // keeps the memory
  void* base_ = nullptr;
};

}  // namespace diptych
