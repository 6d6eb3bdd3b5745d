#pragma once
// Counter-based random numbers. Every draw has an address, so batch layout, rank count and resume change nothing.

#include <array>
#include <cstdint>

namespace diptych {

/** What a draw is for; part of its address. Values are stored nowhere, but changing one changes every run. */
enum class Purpose : uint32_t {
  weights = 1,
  prompt_order = 2,
  think = 3,
  initial_noise = 4,
  step_noise = 5,
  window = 6,
  posterior = 7,
  data = 8,
  flow_time = 9,
  flow_noise = 10,
  dropout = 11,
  scene = 12,
  test = 13,
  adapters = 14,
};

/** Address of a stream. Unused fields stay 0. */
struct StreamKey {
  uint64_t seed = 0;
  Purpose purpose = Purpose::test;
  uint64_t step = 0;
  uint64_t prompt = 0;    // occurrence of the prompt in the run, not its text
  uint64_t sample = 0;    // index in the group
  uint64_t position = 0;  // token, denoising step, turn
};

/** Philox 4x32-10 (Salmon et al., SC 2011) over a counter, keyed by a hash of the address. */
class Stream {
 public:
  /** Begins with block `first_block` of the address. A block is four next_u32(), hence two normal(), so that several
   *  threads can share the numbers of one address. */
  explicit Stream(const StreamKey& key, uint64_t first_block = 0);

  uint32_t next_u32();
  uint64_t next_u64();
  /** Uniform in [0, 1) with 53 bits. */
  double uniform();
  /** Standard normal (Box-Muller in double precision). */
  double normal();
  /** Uniform integer in [0, bound); bound > 0. */
  uint64_t below(uint64_t bound);

 private:
  std::array<uint32_t, 2> key_;
  std::array<uint32_t, 4> counter_;
  std::array<uint32_t, 4> block_{};
  int used_ = 4;
  bool has_spare_ = false;
  double spare_ = 0;
};

/** Philox 4x32 with ten rounds; exposed for the known-answer test. */
std::array<uint32_t, 4> philox4x32(std::array<uint32_t, 4> counter, std::array<uint32_t, 2> key);

}  // namespace diptych
