#include "diptych/flow/window.h"

#include "diptych/base/error.h"
#include "diptych/base/rng.h"
#include "diptych/base/text_format.h"

namespace diptych {

int64_t window_start(uint64_t seed, uint64_t rollout_step, int64_t low, int64_t high, int64_t size) {
  if (low < 0 || size < 1 || high - low < size) {
    throw Error(ExitCode::config, {.where = "SDE window",
                                   .expected = "a window of at least 1 step that fits into its range",
                                   .got = cat("size ", size, " in steps [", low, ", ", high, ")"),
                                   .hint = "widen the range or shorten the window"});
  }
  Stream stream({.seed = seed, .purpose = Purpose::window, .step = rollout_step});
  return low + static_cast<int64_t>(stream.below(static_cast<uint64_t>(high - low - size + 1)));
}

}  // namespace diptych
