#pragma once
// What the arithmetic of a run depends on besides its recipe, and what it used.

#include <cstdint>
#include <string>
#include <vector>

namespace diptych {

/** Runs are bit-identical only where all of these are equal. */
struct Environment {
  int threads = 0;                // of torch's intra-operation pool
  std::string instruction_set{};  // "AVX512", "AVX2", "DEFAULT", ...: the kernels that torch picked on this processor
  std::string torch_version{};

  bool operator==(const Environment&) const = default;
};

Environment current_environment();

/** One line for every field that differs, such as "threads: 2 -> 4"; empty if equal. */
std::vector<std::string> environment_changes(const Environment& before, const Environment& now);

/** Largest resident set of this process so far, in bytes. */
int64_t peak_resident_bytes();

}  // namespace diptych
