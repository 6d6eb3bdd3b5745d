#pragma once
// What the makers' data sheets say about cards.

#include <string>
#include <vector>

namespace diptych {

struct Gpu {
  std::string name;
  double memory_gib = 0;
  double bfloat16_tflops = 0;  // dense, on tensor cores, 10^12 operations a second
  double float32_tflops = 0;   // without TF32, which LibTorch leaves off
  double bandwidth_tbs = 0;    // of the memory, 10^12 bytes a second
};

const std::vector<Gpu>& gpu_table();

/** Throws Error(usage) that lists the names for one that is not in the table. */
Gpu gpu_named(const std::string& name);

}  // namespace diptych
