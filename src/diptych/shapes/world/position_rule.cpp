#include "diptych/shapes/world/position_rule.h"

#include <algorithm>
#include <cmath>

namespace diptych::shapes {

namespace {

constexpr double kSizeMargin = 0.1;
constexpr double kSmallestCosine = 0.5;
constexpr double kNoOffset = 1e-3;

double shortened(double offset, double margin) {
  return std::copysign(std::max(std::abs(offset) - margin, 0.0), offset);
}

}  // namespace

std::array<double, 2> direction(const Box& subject, const Box& reference) {
  const double offset_x = (subject.left + subject.right - reference.left - reference.right) / 2;
  const double offset_y = (subject.top + subject.bottom - reference.top - reference.bottom) / 2;
  const double widths = std::abs(subject.right - subject.left) + std::abs(reference.right - reference.left);
  const double heights = std::abs(subject.bottom - subject.top) + std::abs(reference.bottom - reference.top);
  const double x = shortened(offset_x, kSizeMargin * widths);
  const double y = shortened(offset_y, kSizeMargin * heights);
  if (std::abs(x) < kNoOffset && std::abs(y) < kNoOffset) return {0, 0};
  const double length = std::hypot(offset_x, offset_y);
  return {x / length, y / length};
}

double relation_cosine(Relation relation, const Box& subject, const Box& reference) {
  const auto [x, y] = direction(subject, reference);
  switch (relation) {
    case Relation::left_of:
      return -x;
    case Relation::right_of:
      return x;
    case Relation::above:
      return -y;
    case Relation::below:
      return y;
  }
  return 0;
}

bool relation_holds(Relation relation, const Box& subject, const Box& reference) {
  return relation_cosine(relation, subject, reference) > kSmallestCosine;
}

}  // namespace diptych::shapes
