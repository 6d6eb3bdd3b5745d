#pragma once
// Runs a reader on many inputs in a process of its own, so that a crash can be told and its input kept.

#include <cstdint>
#include <filesystem>
#include <string>

#include "fuzz/mutate.h"

namespace diptych::fuzz {

struct Outcome {
  uint64_t inputs = 0;         // that were read to their end
  uint64_t refused = 0;        // of them, with diptych::Error
  double seconds = 0;          // of processor time
  std::string failure;         // how the process ended and what it had to say; empty: all is well
  std::filesystem::path file;  // the input at fault
};

/** Reads inputs 0 to `inputs` - 1 until the first failure, which is an exception other than diptych::Error, a crash, a
 *  sanitizer report, or more than ten seconds of processor time on one input. */
Outcome run_target(const Target& target, const std::vector<Bytes>& corpus, uint64_t inputs, uint64_t seed);

}  // namespace diptych::fuzz
