#pragma once
// Which operations take the time of a piece of work.

#include <functional>

#include "diptych/tensor/torch.h"

namespace diptych {

/** One operation; on a GPU one kernel. */
struct ProfileLine {
  std::string name;
  int64_t calls = 0;
  double seconds = 0;  // of all calls together, without the operations that they called
};

struct Profile {
  std::vector<ProfileLine> lines;    // those that took most, the longest first
  double seconds = 0;                // of all operations, those without a line too; of all threads together
  double busy_seconds = 0;           // during which a GPU did something; 0 of the CPU
  std::optional<double> idle_share;  // of an undisturbed call, during which the GPU did nothing; absent of the CPU
};

/** Of one call of `work`, from torch's profiler. That slows the host down, but not what runs on a GPU; idle_share is
 *  left to whoever knows how long a call takes without it. */
Profile profile_of(at::Device device, const std::function<void()>& work);

}  // namespace diptych
