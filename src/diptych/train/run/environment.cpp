#include "diptych/tensor/torch.h"

#include "diptych/train/run/environment.h"

#include <ATen/Parallel.h>
#include <ATen/Version.h>
#include <sys/resource.h>
#include <torch/headeronly/version.h>

#include "diptych/base/text_format.h"

namespace diptych {

Environment current_environment() {
  return {
      .threads = at::get_num_threads(), .instruction_set = at::get_cpu_capability(), .torch_version = TORCH_VERSION};
}

std::vector<std::string> environment_changes(const Environment& before, const Environment& now) {
  std::vector<std::string> lines;
  if (before.threads != now.threads) lines.push_back(cat("threads: ", before.threads, " -> ", now.threads));
  if (before.instruction_set != now.instruction_set) {
    lines.push_back(cat("instruction set: ", before.instruction_set, " -> ", now.instruction_set));
  }
  if (before.torch_version != now.torch_version) {
    lines.push_back(cat("torch: ", before.torch_version, " -> ", now.torch_version));
  }
  return lines;
}

int64_t peak_resident_bytes() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return static_cast<int64_t>(usage.ru_maxrss) * 1024;  // Linux counts in KiB
}

}  // namespace diptych
