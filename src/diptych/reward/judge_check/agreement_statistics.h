#pragma once
// How well a judge's numbers agree with the truth.

#include <optional>
#include <vector>

namespace diptych {

/** Mean of the two shares of right answers, of those that are truly yes and of those that are truly no; an answer says
 *  yes above 0.5. nullopt unless there are both. */
std::optional<double> balanced_accuracy(const std::vector<double>& values, const std::vector<bool>& truths);

/** Area under the ROC curve: the share of pairs of a true and a false one in which the true one has the larger value,
 *  where equal values count one half. nullopt unless there are both. */
std::optional<double> area_under_curve(const std::vector<double>& values, const std::vector<bool>& truths);

/** Expected calibration error (Naeini et al., AAAI 2015) of probabilities in [0, 1]: over ten bins of equal width,
 *  |mean probability - share that is true|, weighted by the bin's share of all. 0 for none. */
double calibration_error(const std::vector<double>& probabilities, const std::vector<bool>& truths);

/** Spearman's rank correlation; equal values share the mean of their ranks. nullopt for fewer than two values and where
 *  all values of one side are equal. */
std::optional<double> rank_correlation(const std::vector<double>& a, const std::vector<double>& b);

}  // namespace diptych
