#include "diptych/reward/composition.h"

#include <cassert>

namespace diptych {

namespace {

void add_term(const RewardTerm& term, const Score& part, bool is_first, Score& sum) {
  sum.terms.push_back({term.name, term.weight, part.value});
  if (part.value) sum.checks.push_back({"term/" + term.name, *part.value});
  for (const Check& check : part.checks)
    sum.checks.push_back({is_first ? check.name : term.name + "/" + check.name, check.value});
  if (!part.raw_reply.empty()) sum.raw_reply += (sum.raw_reply.empty() ? "" : "\n") + term.name + ": " + part.raw_reply;

  if (term.weight == 0 || sum.status == ScoreStatus::failed) return;
  if (part.status != ScoreStatus::ok) {
    sum.status = part.status;
    sum.value = std::nullopt;
  } else if (sum.value) {
    *sum.value += term.weight * *part.value;
  }
}

}  // namespace

RewardFunction weighted_sum(std::vector<RewardTerm> terms) {
  assert(!terms.empty());
  return [terms = std::move(terms)](const std::vector<ScoredPair>& pairs) {
    std::vector<Score> first = terms[0].reward(pairs);
    if (terms.size() == 1 && terms[0].weight == 1) {
      for (Score& score : first) score.terms = {{terms[0].name, terms[0].weight, score.value}};
      return first;
    }
    std::vector<Score> sums(pairs.size());
    for (Score& sum : sums) sum.value = 0;
    for (size_t t = 0; t < terms.size(); ++t) {
      const std::vector<Score> parts = t == 0 ? std::move(first) : terms[t].reward(pairs);
      assert(parts.size() == pairs.size());
      for (size_t i = 0; i < pairs.size(); ++i) add_term(terms[t], parts[i], t == 0, sums[i]);
    }
    return sums;
  };
}

}  // namespace diptych
