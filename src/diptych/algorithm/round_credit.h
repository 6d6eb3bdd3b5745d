#pragma once
// Credit for chains of rounds: Reason paints a picture, then up to N rounds each reflect on the last picture and either
// refine it or say that it is done. V_j in [0, 1] is the score of the picture after j refinements.
//
// Rewards of the stages of a chain that made k refinements (1 - V is what a picture still lacks):
//
//   Reason, round 0              V_0 with "improvement", V_k with "final"
//   refinement in round j        V_j - V_{j-1}
//   right stop in round k + 1    stop_bonus: it said so, and V_k >= 1 - perfect_tolerance is perfect
//   false stop                   -false_stop_cost (1 - V_k): it said so of a flawed picture
//   unreadable reflection        0 on a perfect picture, else as a false stop: what was not said earns no bonus
//
// A chain that reaches the cap of rounds has no end stage: it decided nothing there. With "improvement" each stage
// answers for its own step, and the rewards of Reason and of the refinements add up to V_k; a round spent on a perfect
// picture costs what it spoils. With "final" Reason answers for what the rounds make of its picture.
//
// The stages of one prompt and round form a group of group_advantages (advantages.h), refinements and ends together:
// they are the two answers to the same question. The pictures of these chains differ, so the group's mean is a baseline
// of the prompt and round, not of one picture.
//
// Why: R3 (arXiv 2602.15772) rewards a reflection with V_j - V_{j-1}, or 1 for stopping at a perfect picture, so that
// stopping at a flawed picture costs nothing and an unreadable reflection counts as a stop; it also trains one round
// only, from a buffer of pictures. Here a false stop costs a share of the improvement that it gives up, an unreadable
// end is kept apart, and all rounds of a real chain are trained.

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

namespace diptych {

enum class RoundEnd {
  cap,         // no rounds left
  stop,        // the reflection said that no further edit is needed
  unreadable,  // the reflection could not be parsed, for example for want of </think>
};

struct RoundChain {
  /** V_0 ... V_k, at least one; nothing where the score is masked. k = size - 1 refinements were made. */
  std::vector<std::optional<double>> values;
  RoundEnd end = RoundEnd::cap;
};

enum class RoundCreditKind { improvement, final };

struct RoundCreditOptions {
  RoundCreditKind kind = RoundCreditKind::improvement;
  double stop_bonus = 0.5;
  double false_stop_cost = 0.5;  // 1: all that a perfect refinement would have earned
  double perfect_tolerance = 1e-6;
};

enum class RoundStage { reason, refine, end };

/** One decision of a chain. It trains the text and the picture of its round, whichever there are. */
struct StageCredit {
  RoundStage stage = RoundStage::reason;
  int64_t round = 0;             // 0 for Reason, then from 1
  std::optional<double> reward;  // nothing if a score that it needs is masked
};

/** The stages of a chain in order: Reason, every refinement, and the end unless it is the cap. */
std::vector<StageCredit> stage_credits(const RoundChain& chain, const RoundCreditOptions& options);

/** How well chains know when they are done. Every reflection on a scored picture is a decision. */
struct StopStatistics {
  int64_t decisions = 0;
  int64_t perfect_offered = 0;  // decisions on a perfect picture
  int64_t stops = 0;            // said so, on a scored picture
  int64_t right_stops = 0;
  int64_t false_stops = 0;
  int64_t unreadable = 0;                   // ends without a word, neither stop nor refinement
  int64_t masked = 0;                       // decisions on a picture without score; counted nowhere else
  std::optional<double> precision() const;  // right stops among stops; nothing without a stop
  std::optional<double> recall() const;     // right stops among perfect pictures offered; nothing without one
};

/** Over the decisions of all chains. */
StopStatistics stop_statistics(std::span<const RoundChain> chains, double perfect_tolerance);

}  // namespace diptych
