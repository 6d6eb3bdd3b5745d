#pragma once
// What a run was and what came of it, in words.

#include "diptych/report/run_data/run_data.h"

namespace diptych {

/** "Reinforcement training of MODEL: thinks, then paints; …". */
std::string run_sentence(const RunData& run);

/** Fewer steps, each with prompts of its own, have no course that is worth telling. */
inline constexpr size_t kFewestStepsOfACourse = 20;

/** What came of it: the held-out rates before and after, then the course of the reward or the losses: their mean alone
 *  where there are few steps, or no difference between the first quarter and the last beyond that of single steps. */
std::vector<std::string> result_sentences(const RunData& run);

/** (name, value): model, steps, time, memory and the recipe's most important keys. Unknown ones are left out. */
std::vector<std::pair<std::string, std::string>> run_facts(const RunData& run);

/** "400 of 400 steps", or "23 steps" where the recipe does not say. */
std::string steps_text(const RunData& run);

/** Whether a metric is a share that reads best in percent. */
bool is_rate(const std::string& metric);

/** The value of a metric, rates in percent. */
std::string value_text(const std::string& metric, double value);

/** What a table calls a metric of an evaluation: "Explicit prompts"; the last part of the name of others. */
std::string metric_title(const std::string& metric);

}  // namespace diptych
