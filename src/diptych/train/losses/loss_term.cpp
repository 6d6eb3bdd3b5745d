#include "diptych/train/losses/loss_term.h"

namespace diptych {

std::map<std::string, ConfigSection> loss_sections() {
  std::map<std::string, ConfigSection> sections;
  for (const LossTerm& term : loss_terms())
    if (term.keys) sections.emplace(term.name, *term.keys);
  return sections;
}

LossNeeds loss_needs(const LossOptions& options) {
  LossNeeds needs;
  for (const LossTerm& term : loss_terms()) {
    if (term.weight(options) <= 0) continue;
    needs.logprobs = needs.logprobs || term.of_texts != nullptr;
    needs.velocities = needs.velocities || term.of_windows != nullptr;
    needs.reference = needs.reference || term.is_penalty;
    needs.trains_steps = needs.trains_steps || (term.of_windows != nullptr && !term.is_penalty);
  }
  return needs;
}

}  // namespace diptych
