#pragma once
// Lists with one entry per sample of a rollout, some samples of which do not count.

#include <cstddef>
#include <string_view>
#include <vector>

namespace diptych {

/** Throws std::invalid_argument unless a list of `what` has one entry for each of the samples. */
void require_one_per_sample(size_t samples, size_t entries, std::string_view what);

/** The samples that count, in ascending order. valid: one per sample, or empty if all are valid. */
std::vector<size_t> valid_samples(size_t samples, const std::vector<bool>& valid);

}  // namespace diptych
