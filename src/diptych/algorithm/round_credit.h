#pragma once
// Credit for chains of rounds: Reason paints a picture, then up to N rounds each reflect on the last picture and either
// refine it or say that it is done. V_j in [0, 1] is the score of the picture after j refinements.
//
// Stage rewards, for a chain that made k refinements (1 - V is what a flawed picture still lacks):
//
//   credit        Reason (round 0)   refinement in round j   end in round k + 1 by word or by an unreadable reflection
//   improvement   V_0                V_j - V_{j-1}           e(V_k)
//   final         V_k                V_k                     V_k + e(V_k)
//
//   right stop:  e = stop_bonus               V_k is perfect, V_k >= 1 - perfect_tolerance
//   false stop:  e = -false_stop_cost (1 - V_k)
//   unreadable:  e = 0 on a perfect picture, else as a false stop: what was not said earns no bonus
//
// A chain that reaches the cap of rounds has no end stage: it decided nothing there. With "improvement" the rewards of
// Reason and of the refinements add up to V_k, each stage answers for its own step, and a round spent on a perfect
// picture costs what it spoils; with "final" every stage answers for what came of it.
//
// Why: R3 (arXiv 2602.15772) rewards a reflection with V_j - V_{j-1}, or 1 for stopping at a perfect picture, so that
// stopping at a flawed picture costs nothing and an unreadable reflection counts as a stop; it also trains one round
// only, from a buffer of pictures. Here a false stop costs the improvement it gives up, an unreadable end is kept
// apart, and all rounds of a real chain are trained.

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "diptych/algorithm/advantages.h"

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
  double stop_bonus = 1;       // R3's value
  double false_stop_cost = 1;  // 1: what a perfect refinement would have earned
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

struct RoundAdvantages {
  std::vector<std::vector<double>> values;  // [chain][stage], as the credits; masked stages are 0
  std::vector<Advantages> rounds;           // statistics of each round, from 0; their `values` are those of its stages
  int64_t masked_stages = 0;
};

/** Advantages stage by stage: A = (reward - mean) / (population std + epsilon) over the chains of one prompt that
 *  reached the same round, refinements and ends together, as they are the two answers to the same question. The
 *  pictures of these chains differ, so the mean is a baseline of the prompt and round, not of one picture. Groups of
 * one and without spread give 0. credits: [chain][stage]; prompts: id per chain. With StdScope::round the deviation is
 * that of all prompts at the round. Throws Error(numerics) if a reward is not finite. */
RoundAdvantages round_advantages(const std::vector<std::vector<StageCredit>>& credits, std::span<const int64_t> prompts,
                                 const AdvantageOptions& options);

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
