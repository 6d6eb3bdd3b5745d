#pragma once
// What a prompt asks for, in the form of GenEval's metadata: clauses to include and at most one position.

#include <array>
#include <cstddef>
#include <optional>
#include <string_view>
#include <vector>

#include "diptych/shapes/world/scene.h"

namespace diptych::shapes {

enum class Relation { left_of, right_of, above, below };

inline constexpr std::array<std::string_view, 4> kRelationNames = {"left of", "right of", "above", "below"};

/** Some objects that share a description: "two red circles". An empty field leaves that property free. */
struct Clause {
  std::optional<Shape> shape;
  std::optional<Colour> colour;
  int count = 1;

  bool operator==(const Clause&) const = default;
};

/** The object of clause `subject` lies on the `relation` side of the object of clause `reference`. */
struct Position {
  int subject = 0;
  Relation relation = Relation::left_of;
  int reference = 0;

  bool operator==(const Position&) const = default;
};

/** All objects a picture must hold; it must hold no others. */
struct Request {
  std::vector<Clause> clauses;
  std::optional<Position> position;

  bool operator==(const Request&) const = default;
};

constexpr std::string_view to_string(Shape shape) {
  return kShapeNames[static_cast<size_t>(shape)];
}
constexpr std::string_view to_string(Colour colour) {
  return kColourNames[static_cast<size_t>(colour)];
}
constexpr std::string_view to_string(Relation relation) {
  return kRelationNames[static_cast<size_t>(relation)];
}

/** The relation seen from the other object: left_of becomes right_of. */
constexpr Relation opposite(Relation relation) {
  switch (relation) {
    case Relation::left_of:
      return Relation::right_of;
    case Relation::right_of:
      return Relation::left_of;
    case Relation::above:
      return Relation::below;
    case Relation::below:
      return Relation::above;
  }
  return relation;
}

}  // namespace diptych::shapes
