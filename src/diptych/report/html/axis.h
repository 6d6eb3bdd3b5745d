#pragma once
// Axes of curves: their ranges, ticks and labels.

#include <string>
#include <vector>

#include "diptych/report/html/series.h"

namespace diptych {

struct AxisRange {
  double low = 0;
  double high = 1;
};

/** Round numbers (1, 2 or 5 times a power of ten apart) inside the range, at most `most` of them. */
std::vector<double> axis_ticks(AxisRange range, int most);

/** The same for counts: whole numbers only. */
std::vector<double> whole_ticks(AxisRange range, int most);

/** The ticks as short texts of equal precision: 0.25, 12k, 2e-6. */
std::vector<std::string> tick_labels(const std::vector<double>& ticks);

/** A range for the values of all series, a little wider than they are. It begins at 0 where they come close to it.
 *  A few values far away from all others do not stretch it: they lie outside. */
AxisRange value_range(const std::vector<const Series*>& all);

}  // namespace diptych
