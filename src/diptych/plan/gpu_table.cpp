#include "diptych/plan/gpu_table.h"

#include "diptych/base/error.h"
#include "diptych/base/text_format.h"

namespace diptych {

// From NVIDIA's data sheets: "A100 Tensor Core GPU" (SXM), "H100 Tensor Core GPU" (SXM and PCIe), "H200 Tensor Core
// GPU" (SXM), "HGX B200" (an eighth of the board), "L40S", "Ada GPU architecture" (RTX 4090). Rates that a sheet prints
// with sparsity are halved; the sheets' GB of memory are nearly GiB, as the driver shows them,
// but for the L40S, whose ECC takes 3 of them.
const std::vector<Gpu>& gpu_table() {
  static const std::vector<Gpu> table = {
      {.name = "h100", .memory_gib = 80, .bfloat16_tflops = 989, .float32_tflops = 67, .bandwidth_tbs = 3.35},
      {.name = "h100-pcie", .memory_gib = 80, .bfloat16_tflops = 756, .float32_tflops = 51, .bandwidth_tbs = 2.0},
      {.name = "h200", .memory_gib = 141, .bfloat16_tflops = 989, .float32_tflops = 67, .bandwidth_tbs = 4.8},
      {.name = "b200", .memory_gib = 180, .bfloat16_tflops = 2250, .float32_tflops = 75, .bandwidth_tbs = 8.0},
      {.name = "a100-80", .memory_gib = 80, .bfloat16_tflops = 312, .float32_tflops = 19.5, .bandwidth_tbs = 2.039},
      {.name = "a100-40", .memory_gib = 40, .bfloat16_tflops = 312, .float32_tflops = 19.5, .bandwidth_tbs = 1.555},
      {.name = "l40s", .memory_gib = 45, .bfloat16_tflops = 362, .float32_tflops = 91.6, .bandwidth_tbs = 0.864},
      {.name = "rtx4090", .memory_gib = 24, .bfloat16_tflops = 165, .float32_tflops = 82.6, .bandwidth_tbs = 1.008}};
  return table;
}

Gpu gpu_named(const std::string& name) {
  std::vector<std::string> names;
  for (const Gpu& gpu : gpu_table()) {
    if (gpu.name == name) return gpu;
    names.push_back(gpu.name);
  }
  throw Error(ExitCode::usage, {"--gpu", "one of " + join(names, ", "), "'" + name + "'", ""});
}

}  // namespace diptych
