#include "diptych/shapes/world/position_rule.h"

#include <gtest/gtest.h>

#include <fstream>
#include <sstream>

#include "diptych/base/text_format.h"

namespace diptych::shapes {
namespace {

// The order in which GenEval lists relations that hold together.
constexpr std::array<Relation, 4> kOrder = {Relation::left_of, Relation::right_of, Relation::above, Relation::below};

TEST(PositionRule, ReproducesGenEval) {
  std::ifstream file(DIPTYCH_SOURCE_DIR "/tests/data/geneval/position_pairs.csv");
  ASSERT_TRUE(file);
  std::string line;
  std::getline(file, line);
  int pairs = 0;
  while (std::getline(file, line)) {
    std::istringstream fields(line);
    std::array<double, 8> sides{};
    for (double& side : sides) {
      std::string field;
      std::getline(fields, field, ',');
      side = std::stod(field);
    }
    std::string expected;
    std::getline(fields, expected);
    const Box a{sides[0], sides[1], sides[2], sides[3]};
    const Box b{sides[4], sides[5], sides[6], sides[7]};
    std::vector<std::string_view> held;
    for (Relation relation : kOrder) {
      if (relation_holds(relation, a, b)) held.push_back(to_string(relation));
      EXPECT_EQ(relation_holds(relation, a, b), relation_holds(opposite(relation), b, a)) << line;
    }
    EXPECT_EQ(join(held, "|"), expected) << line;
    ++pairs;
  }
  EXPECT_GE(pairs, 50);
}

TEST(PositionRule, ConcentricBoxesHaveNoDirection) {
  const Box box{2, 2, 8, 8};
  for (Relation relation : kOrder) EXPECT_EQ(relation_cosine(relation, box, box), 0);
}

}  // namespace
}  // namespace diptych::shapes
