#pragma once
// Curves as inline SVG, without a script.

#include <string>
#include <vector>

#include "diptych/report/html/axis.h"

namespace diptych {

struct Point {
  double x = 0;
  double y = 0;
};

/** Of points with rising x, those that cannot be left out unseen: in each column `width` wide the first, the lowest,
 * the highest and the last. */
std::vector<Point> visible_points(const std::vector<Point>& points, double width);

/** A figure of width 340 and height 170 with both axes. Every series is drawn as its raw values, faint, and its running
 *  mean of smoothing_width neighbours; one of few values as dots. Series i has the CSS classes `c<colours[i]>`. Values
 *  outside the range lie on its edge. */
std::string curve_svg(const std::string& title, const std::vector<const Series*>& all,
                      const std::vector<size_t>& colours);

}  // namespace diptych
