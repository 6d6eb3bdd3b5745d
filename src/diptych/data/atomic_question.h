#pragma once
// A yes/no question about a picture, as DVReward asks them (AlphaGRPO, arXiv 2605.12495).

#include <string>

namespace diptych {

struct AtomicQuestion {
  std::string kind;  // "semantic" or "quality"
  std::string tag;   // AlphaGRPO's class, such as Existence, Count, Spatial, Geometry; metadata only
  std::string text;  // yes = good
  std::string id;    // unique in its prompt: "s1", "s2", ..., "q1", ...
};

}  // namespace diptych
