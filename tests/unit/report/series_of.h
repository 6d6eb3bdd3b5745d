#pragma once
// Series for tests of reports.

#include <functional>

#include "diptych/report/html/series.h"

namespace diptych {

/** Values of the steps 1 to `steps`. */
inline Series series_of(int64_t steps, const std::function<double(int64_t step)>& value) {
  Series series;
  for (int64_t step = 1; step <= steps; ++step) {
    series.steps.push_back(step);
    series.values.push_back(value(step));
  }
  return series;
}

inline Series constant(int64_t steps, double value) {
  return series_of(steps, [=](int64_t) { return value; });
}

/** From one value to the other on a straight line, with a disturbance of the size `noise` that has no trend. */
inline Series ramp(int64_t steps, double from, double to, double noise = 0) {
  return series_of(steps, [=](int64_t step) {
    const double place = static_cast<double>(step - 1) / static_cast<double>(std::max<int64_t>(steps - 1, 1));
    const double disturbance[] = {0.9, -0.4, 0.1, -1.0, 0.6, -0.2};
    return from + place * (to - from) + noise * disturbance[step % 6];
  });
}

/** Evaluations at step 0 and at the given last step. */
inline Series evaluations(double before, double after, int64_t last = 200) {
  return {{0, last}, {before, after}, {}};
}

}  // namespace diptych
