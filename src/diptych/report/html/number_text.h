#pragma once
// Numbers as people read them.

#include <string>

namespace diptych {

/** At most three significant digits and no trailing zeros: 0.682, 12.3, 4; whole from 1000 on; 1.5e-5 for what is very
 *  small or large. */
std::string number_text(double value);

/** A share as 46.1 %. */
std::string percent_text(double share);

/** With its sign, as a change: +0.094, −0.012. */
std::string change_text(double change);

/** A change of a share, in percentage points: +9.4. */
std::string points_text(double change);

/** 48 s, 12.3 min, 4.1 h. */
std::string duration_text(double seconds);

/** "1 step", "2 steps". */
std::string count_text(int64_t count, const std::string& noun);

}  // namespace diptych
